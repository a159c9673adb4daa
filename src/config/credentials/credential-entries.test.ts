import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from '../configuration-error.js';
import { readNamespaces } from '../upstream-file.js';
import { comparePatterns } from './credential-entries.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oci-registry-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const upstream = (lines: string) => `- namespace: ghcr.io\n  host: ghcr.io\n${lines.replace(/^/gm, '  ')}`;
const read = (lines: string) => readNamespaces(upstream(lines), undefined).upstreams[0]!;
function mistakes(lines: string, credentials?: object): string[] {
  try {
    readNamespaces(upstream(lines), credentials && JSON.stringify(credentials));
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).message.split('\n');
  }
}
const shape = (lines: string) => read(lines).credentialSources.map(({ kind, repositories }) => [kind, repositories]);

describe('credentials of an upstream', () => {
  it('may be absent, the name of a source, a map, or a list', () => {
    expect(shape('tls: true')).toEqual([]);
    expect(shape('credentials: null')).toEqual([]);
    expect(shape('credentials: []')).toEqual([]);
    expect(shape('credentials: docker_config')).toEqual([['docker_config', []]]);
    expect(shape('credentials: { docker_config: }')).toEqual([['docker_config', []]]);
    expect(
      shape(`credentials:
  - static: { username: a, password: b }
    repositories: ['team/**', other/app]
  - docker_config`),
    ).toEqual([
      ['static', ['team/**', 'other/app']],
      ['docker_config', []],
    ]);
  });

  it('have a user and a password, or a file with it', () => {
    const file = join(folder, 'password');
    writeFileSync(file, 'planted\n');
    const { credentialSources, takesCredentials, credentials } = read(
      `credentials: { static: { username: a, password_file: "${file}" } }`,
    );
    expect(credentialSources[0]?.options).toMatchObject({ username: 'a', passwordFile: file });
    expect(takesCredentials).toBe(true);
    expect(credentials).toBeUndefined();
    writeFileSync(file, '');
    expect(mistakes(`credentials: { static: { username: a, password_file: "${file}" } }`)).toEqual([
      'upstreams[0].credentials.static.password_file: a file: must contain one line of text',
    ]);
  });

  it('stand beside a user and a password of the upstream only with repositories', () => {
    const flat = 'username: u\npassword: p\n';
    const colon = 'text: must not have a colon, which ends the user in basic authentication';
    expect(mistakes('username: a:b\npassword: p')).toEqual([`upstreams[0].username: ${colon}`]);
    expect(mistakes('credentials: { static: { username: "a:b", password: p } }')).toEqual([
      `upstreams[0].credentials.static.username: ${colon}`,
    ]);
    expect(mistakes(`${flat}credentials: [{ docker_config: {}, repositories: 'team/**' }]`)).toEqual([]);
    expect(mistakes(`${flat}credentials: [docker_config]`)).toEqual([
      'upstreams[0].username: text: is for the repositories that no entry of credentials is for, as is upstreams[0].credentials[0]: give that repositories',
    ]);
    expect(mistakes('credentials: docker_config', { 'ghcr.io': { username: 'u', password: 'p' } })).toHaveLength(1);
  });

  it('are those of a fallback host, too', () => {
    const [fallback] = read(
      "fallback_hosts:\n  - host: a.test\n    credentials: [{ docker_config: {}, repositories: ['a/**'] }]",
    ).fallbackHosts;
    expect(fallback?.credentialSources).toMatchObject([{ kind: 'docker_config', repositories: ['a/**'] }]);
    expect(mistakes('fallback_hosts:\n  - host: a.test\n    credentials: [{ static: { username: u } }]')).toEqual([
      'upstreams[0].fallback_hosts[0].credentials[0].static.password: missing: or password_file must be set',
    ]);
  });

  it('have every mistake reported, with its place', () => {
    expect(
      mistakes(`credentials:
  - static: { user: a, password: 'planted' }
  - docker_confg: {}
  - static: { username: a, password: b }
    docker_config: {}
  - repositories: ['x/**']
  - helper: text
  - docker_config: {}
    repositories: ['ghcr.io/team/**', 'UPPER', 7]
  - docker_config: {}
    repository: ['x/**']
  - docker_config: {}
    repositories: []`).sort(),
    ).toEqual(
      [
        'upstreams[0].credentials[0].static.username: missing: must be text without control characters',
        'upstreams[0].credentials[0].static.user: text: is not a known setting',
        'upstreams[0].credentials[1].docker_confg: a map: is not a known source; did you mean docker_config?',
        'upstreams[0].credentials[2]: a map: must have exactly one of static, docker_config, helper, ecr, google, azure, github_app',
        'upstreams[0].credentials[3]: a map: must have exactly one of static, docker_config, helper, ecr, google, azure, github_app',
        'upstreams[0].credentials[4].helper: text: must be a map with the options of helper, {} for none',
        'upstreams[0].credentials[5].repositories[0]: text: is a pattern within the namespace: leave ghcr.io/ out',
        'upstreams[0].credentials[5].repositories[1]: text: must be a pattern of names within the namespace, such as team/**, in which * stands for characters and ** for components',
        'upstreams[0].credentials[5].repositories[2]: a number: must be a pattern of names within the namespace, such as team/**, in which * stands for characters and ** for components',
        'upstreams[0].credentials[6].repository: a list: is not a known source; did you mean repositories?',
        'upstreams[0].credentials[7].repositories: a list: must be a list of 1 to 100 patterns',
      ].sort(),
    );
  });

  it.each([
    ['7', 'a number'],
    ['[7]', 'a list'],
    ['[[docker_config]]', 'a list'],
    ['true', 'a boolean'],
  ])('are a mistake as %s', (value, kind) => {
    expect(mistakes(`credentials: ${value}`)).toEqual([
      `upstreams[0].credentials: ${kind}: must be a map with one of static, docker_config, helper, ecr, google, azure, github_app, or a list of such maps`,
    ]);
  });

  it('are not a source that only looks like one', () => {
    expect(mistakes('credentials: docker')).toEqual(['upstreams[0].credentials: text: is not a known source']);
    expect(mistakes('credentials: { __proto__: {}, constructor: {} }')).toHaveLength(2);
  });

  it('have a second entry for all other repositories reported', () => {
    expect(mistakes('credentials: [docker_config, docker_config]')).toEqual([
      'upstreams[0].credentials[1]: a map: can never count: upstreams[0].credentials[0] is for all other repositories already, give one of them repositories',
    ]);
  });

  it('have a pattern twice reported', () => {
    const twice =
      "credentials: [{ docker_config: {}, repositories: ['a/**'] }, { docker_config: {}, repositories: ['a/**'] }]";
    expect(mistakes(twice)).toEqual([
      'upstreams[0].credentials[1].repositories[0]: text: repeats a pattern of upstreams[0].credentials[0]',
    ]);
  });

  it('never show a secret in a mistake', () => {
    const lines = mistakes(`credentials:
  - static: { username: a, password: planted, password_file: /nowhere }
  - static: { username: a, password: [planted] }
    repositories: 'a/**'
  - planted: planted
  - static: planted`).filter((line) => !line.includes('is not a known'));
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).not.toContain('planted');
  });
});

describe('the order of patterns', () => {
  it('has the most literal components first, then the longest text', () => {
    const patterns = ['**', 'team/**', '*/app', 'team/app', 'team/*-x', 'team/a/**', 'tea/**', 'app'];
    expect(patterns.sort(comparePatterns)).toEqual([
      'team/app',
      'team/a/**',
      'team/*-x',
      'team/**',
      '*/app',
      'tea/**',
      'app',
      '**',
    ]);
  });
});
