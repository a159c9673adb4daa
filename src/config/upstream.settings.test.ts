import { describe, expect, it } from 'vitest';
import { ConfigurationError } from './configuration-error.js';
import { readNamespaces } from './upstream-file.js';

const readUpstreams = (yaml?: string, credentials?: string) => readNamespaces(yaml, credentials).upstreams;

const entry = (lines: string) => `
- namespace: registry.test
  host: registry.test
${lines
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
`;
const read = (lines: string, credentials?: object) =>
  readUpstreams(entry(lines), credentials && JSON.stringify(credentials))[0]!;

/** The lines of the error; none when there is no mistake. */
function mistakes(lines: string, credentials?: object): string[] {
  try {
    read(lines, credentials);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).message.split('\n').filter((line) => line.includes('upstreams[0]'));
  }
}

describe('how long an upstream is trusted and waited for', () => {
  it('has defaults: stale without bound, never while it is asked, 64 connections, nobody to fall back to', () => {
    const settings = read('');
    expect(settings.maxStale).toBeUndefined();
    expect(settings).toMatchObject({ staleWhileRevalidate: 0, maxConnections: 64, fallbackHosts: [] });
  });

  it.each([
    ['stale_while_revalidate: 1h 30m', { staleWhileRevalidate: 5_400_000 }],
    ['stale_while_revalidate: 0s', { staleWhileRevalidate: 0 }],
    ['max_stale: 14d', { maxStale: 14 * 86_400_000 }],
    ['max_stale: 0s', { maxStale: 0 }],
    ['max_stale: null', {}],
    ['max_connections: 2', { maxConnections: 2 }],
    ['max_connections: "1000"', { maxConnections: 1_000 }],
    ['max_connections: null', { maxConnections: 64 }],
    ['fallback_hosts: []', { fallbackHosts: [] }],
    ['fallback_hosts: null', { fallbackHosts: [] }],
  ])('is read from %s', (lines, expected) => {
    expect(read(lines)).toMatchObject(expected);
  });

  it.each([
    ['stale_while_revalidate: 10', 'must be a duration'],
    ['stale_while_revalidate: -1s', 'must be a duration'],
    ['stale_while_revalidate: [1s]', 'must be a duration'],
    ['max_stale: forever', 'must be a duration'],
    ['max_stale: 1.5h', 'must be a duration'],
    ['max_connections: 1', 'from 2 to 1000'],
    ['max_connections: 1001', 'from 2 to 1000'],
    ['max_connections: 2.5', 'from 2 to 1000'],
    ['max_connections: many', 'from 2 to 1000'],
    ['max_connections: {}', 'from 2 to 1000'],
    ['fallback_hosts: other.test', 'must be a list of maps'],
    ['fallback_hosts: [other.test]', 'must be a list of maps'],
    ['fallback_hosts: {host: other.test}', 'must be a list of maps'],
    ['fallback_hosts: [null]', 'must be a list of maps'],
  ])('is a mistake as %s', (lines, reason) => {
    const [line, ...more] = mistakes(lines);
    expect(line).toContain(`upstreams[0].${lines.split(':')[0]}`);
    expect(line).toContain(reason);
    expect(more).toEqual([]);
  });
});

describe('fallback hosts', () => {
  const two = `fallback_hosts:
  - host: first.test
    username: user
    password: secret
  - host: second.test:5000
    tls: false
    user_agent: mirror/1`;

  it('are read in their order, each with settings of its own', () => {
    const { fallbackHosts, credentials } = read(two);
    expect(credentials).toBeUndefined();
    expect(fallbackHosts).toMatchObject([
      { host: 'first.test', tls: true, username: 'user' },
      { host: 'second.test:5000', tls: false, userAgent: 'mirror/1' },
    ]);
    expect(fallbackHosts.map((host) => host.credentials?.password.reveal())).toEqual(['secret', undefined]);
  });

  it('have every mistake reported, with its place', () => {
    const lines = mistakes(`fallback_hosts:
  - host: http://first.test
  - username: user
  - host: third.test
    max_stale: 1h
    ca_file: /nowhere/ca.pem`);
    for (const path of ['[0].host', '[1].host', '[1].password', '[2].max_stale', '[2].ca_file']) {
      expect(lines.filter((line) => line.includes(`upstreams[0].fallback_hosts${path}`))).toHaveLength(1);
    }
    expect(lines).toHaveLength(5);
  });

  it('have no fallbacks themselves', () => {
    expect(mistakes('fallback_hosts:\n  - host: a.test\n    fallback_hosts: []')).toEqual([
      expect.stringContaining('fallback_hosts[0].fallback_hosts'),
    ]);
  });

  it('get credentials from the map under their own name, and the upstream gets none of them', () => {
    const credentials = { 'second.test:5000': { username: 'other', password: 'planted' } };
    const upstream = read(two, credentials);
    expect(upstream.credentials).toBeUndefined();
    expect(upstream.fallbackHosts.map((host) => host.credentials?.username)).toEqual(['user', 'other']);
  });

  it('do not become namespaces because the map has credentials for them', () => {
    const credentials = { 'First.test': { username: 'other', password: 'planted' } };
    const upstreams = readUpstreams(entry(two), JSON.stringify(credentials));
    expect(upstreams.map(({ namespace }) => namespace)).toEqual(['registry.test']);
    expect(upstreams[0]?.fallbackHosts[0]?.credentials?.username).toBe('other');
  });

  it('that are namespaces as well get the credentials in both places', () => {
    const yaml = `${entry(two)}\n- namespace: first.test\n  host: first.test\n`;
    const credentials = { 'first.test': { username: 'other', password: 'planted' } };
    const [main, first] = readUpstreams(yaml, JSON.stringify(credentials));
    expect(first?.credentials?.username).toBe('other');
    expect(main?.fallbackHosts[0]?.credentials?.username).toBe('other');
  });

  it('may not be named twice', () => {
    expect(mistakes('fallback_hosts:\n  - host: a.test\n  - host: b.test\n  - host: A.test')).toEqual([
      expect.stringMatching(/fallback_hosts\[2\]\.host.*repeats upstreams\[0\]\.fallback_hosts\[0\]/),
    ]);
  });

  it('never show a secret in a mistake', () => {
    const credentials = { 'second.test:5000': { username: 'other', password: 'planted-secret', extra: 1 } };
    const lines = mistakes(`${two}\n  - host: "planted-secret http://"`, credentials).join('\n');
    expect(lines).not.toBe('');
    expect(lines).not.toContain('planted-secret');
  });
});
