import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerSettings } from '../config/server.settings.js';
import { UpstreamSettings } from '../config/upstream.settings.js';
import { validateSettings } from '../config/validation/validation.js';
import { Namespace } from '../oci/namespace.js';
import { UpstreamError } from './upstream-error.js';
import { UpstreamsService } from './upstreams.service.js';

const proxyVariables = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

beforeEach(() => {
  for (const name of proxyVariables) vi.stubEnv(name, '');
});
afterEach(() => void vi.unstubAllEnvs());

/** The service as the command line would configure it. */
function serviceOf(flags: Record<string, string> = {}, upstreams: Partial<UpstreamSettings>[] = []): UpstreamsService {
  const { value, problems } = validateSettings(ServerSettings, flags, (name) => `--${name}`);
  expect(problems).toEqual([]);
  return new UpstreamsService(
    upstreams.map((upstream) => Object.assign(new UpstreamSettings(), upstream)),
    value,
  );
}

function isServed(service: UpstreamsService, name: string): boolean {
  try {
    service.get(Namespace.parse(name));
    return true;
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return false;
    throw error;
  }
}

describe('an unconfigured registry', () => {
  it('is reached by https at its own name, and trusted at no private address', () => {
    const upstream = serviceOf().get(Namespace.parse('GHCR.io.:443'));
    expect([upstream.base.href, upstream.isConfigured]).toEqual(['https://ghcr.io/', false]);
    expect(upstream.trusts(new URL('https://ghcr.io/'))).toBe(false);
    expect(upstream.settings.credentials).toBeUndefined();
  });

  it.each([
    'localhost',
    'intranet',
    '127.0.0.1',
    '8.8.8.8',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[2606:4700::1]',
    'ghcr.io:5000',
    'ghcr.io:80',
    'docker.io:5000',
    'index.docker.io:5000',
  ])('is not served when it is written as %s, however much is allowed', (name) => {
    for (const flags of [{}, { 'allow-namespaces': '*' }, { 'allow-namespaces': name }])
      expect(isServed(serviceOf(flags), name)).toBe(false);
  });

  it('is refused when unknown namespaces are denied, unlike configured and built-in ones', () => {
    const service = serviceOf({ 'unknown-namespaces': 'deny', 'default-namespace': 'quay.io' }, [
      { namespace: 'Registry.Test', host: '10.0.0.1:5000', tls: false },
    ]);
    expect(['ghcr.io', 'docker.io:5000', 'a.registry.test'].filter((name) => isServed(service, name))).toEqual([]);
    for (const name of ['docker.io', 'index.docker.io', 'REGISTRY-1.docker.io', 'quay.io', 'registry.test:443'])
      expect(isServed(service, name)).toBe(true);
  });
});

describe('patterns', () => {
  it.each<[pattern: string, inside: string[], outside: string[]]>([
    [
      'ghcr.io',
      ['ghcr.io', 'GHCR.IO', 'ghcr.io.', 'ghcr.io:443'],
      ['a.ghcr.io', 'xghcr.io', 'ghcr.io.evil.test', 'ghcr.i'],
    ],
    ['GHCR.IO.', ['ghcr.io', 'Ghcr.io'], ['a.ghcr.io']],
    ['ghcr.io:443', ['ghcr.io', 'ghcr.io:443'], ['ghcr.com']],
    [
      '*.example.com',
      ['a.example.com', 'A.B.Example.com.', 'a.example.com:443'],
      ['example.com', 'aexample.com', 'example.com.evil.test'],
    ],
    ['*.EXAMPLE.com', ['a.example.com'], ['example.com']],
    ['*.example.com.', ['a.example.com', 'a.b.example.com'], ['example.com', 'a.example.org']],
    ['*.example.com:443', ['a.example.com', 'a.example.com:443'], ['example.com']],
    ['*.io', ['ghcr.io', 'a.b.io'], ['io.test']],
    ['*', ['ghcr.io', 'a.b.c.test'], []],
    ['ghcr.io, *.example.com ,quay.io', ['ghcr.io', 'a.example.com', 'quay.io'], ['example.com', 'gcr.io']],
  ])('%s', (pattern, inside, outside) => {
    const allowing = serviceOf({ 'unknown-namespaces': 'deny', 'allow-namespaces': pattern });
    const denying = serviceOf({ 'deny-namespaces': pattern });
    for (const name of inside)
      expect([name, isServed(allowing, name), isServed(denying, name)]).toEqual([name, true, false]);
    for (const name of outside)
      expect([name, isServed(allowing, name), isServed(denying, name)]).toEqual([name, false, true]);
  });

  it('that deny win over those that allow', () => {
    const service = serviceOf({
      'allow-namespaces': '*.example.com,ghcr.io',
      'deny-namespaces': '*.b.example.com,ghcr.io',
    });
    const names = ['a.example.com', 'b.example.com', 'a.b.example.com', 'ghcr.io', 'quay.io'];
    expect(names.filter((name) => isServed(service, name))).toEqual(['a.example.com', 'b.example.com', 'quay.io']);
    expect(isServed(serviceOf({ 'allow-namespaces': '*', 'deny-namespaces': '*' }), 'ghcr.io')).toBe(false);
  });

  it('that deny do not apply to configured or built-in registries', () => {
    const service = serviceOf({ 'deny-namespaces': '*' }, [{ namespace: 'registry.test', host: '10.0.0.1' }]);
    for (const name of ['docker.io', 'registry.test']) expect(isServed(service, name)).toBe(true);
  });

  it.each([
    'https://ghcr.io',
    '*ghcr.io',
    '**.io',
    'a.*.io',
    '*.',
    '.io',
    'ghcr.io/team',
    '*.*.io',
    `*.${'a.'.repeat(126)}a`,
  ])('that are none are mistakes: %s', (pattern) => {
    const { problems } = validateSettings(ServerSettings, { 'deny-namespaces': pattern }, (name) => name);
    expect(problems).toMatchObject([{ path: 'deny-namespaces' }]);
  });
});

describe('behind a proxy', () => {
  beforeEach(() => void vi.stubEnv('HTTPS_PROXY', 'http://user:planted@proxy.test:3128'));

  it('an unconfigured registry is refused', () => {
    expect(isServed(serviceOf(), 'ghcr.io')).toBe(false);
  });

  it.each(['https_proxy', 'ALL_PROXY', 'all_proxy'])('an unconfigured registry is refused with %s, too', (variable) => {
    vi.stubEnv('HTTPS_PROXY', '');
    expect(isServed(serviceOf(), 'ghcr.io')).toBe(true);
    vi.stubEnv(variable, 'http://proxy.test:3128');
    expect(isServed(serviceOf(), 'ghcr.io')).toBe(false);
  });

  it('an unconfigured registry is served when a pattern allows it and none denies it', () => {
    const service = serviceOf({ 'allow-namespaces': 'ghcr.io,*.example.com', 'deny-namespaces': 'b.example.com' });
    const names = ['ghcr.io', 'a.example.com', 'b.example.com', 'quay.io'];
    expect(names.filter((name) => isServed(service, name))).toEqual(['ghcr.io', 'a.example.com']);
  });

  it('an unconfigured registry is served when NO_PROXY covers it', () => {
    vi.stubEnv('NO_PROXY', 'ghcr.io,.example.com');
    const names = ['ghcr.io', 'a.example.com', 'quay.io'];
    expect(names.filter((name) => isServed(serviceOf(), name))).toEqual(['ghcr.io', 'a.example.com']);
  });

  it('configured and built-in registries are served', () => {
    const service = serviceOf({}, [{ namespace: 'registry.test', host: '10.0.0.1' }]);
    for (const name of ['docker.io', 'registry.test']) expect(isServed(service, name)).toBe(true);
  });

  it('the refusal does not reveal the proxy', () => {
    expect(() => serviceOf().get(Namespace.parse('ghcr.io'))).toThrow(/^ghcr\.io is not mirrored here$/);
  });
});

describe('5,000 unconfigured names', () => {
  const upstreamOf = (service: UpstreamsService, index: number) => service.get(Namespace.parse(`n${index}.test`));

  it('have state for the 1,000 most recently used', () => {
    const service = serviceOf();
    const used = service.get(Namespace.parse('used.test'));
    const all = Array.from({ length: 5_000 }, (_, index) => {
      service.get(Namespace.parse('used.test'));
      return upstreamOf(service, index);
    });
    expect(service.get(Namespace.parse('used.test'))).toBe(used);
    // From the last to the first: what is looked up does not push out what is looked up next.
    const kept = all.filter((upstream, index) => index >= 4_001 && upstreamOf(service, index) === upstream);
    expect(kept).toHaveLength(999);
    expect(upstreamOf(service, 0)).not.toBe(all[0]);
  });

  it('that are refused have no state, and displace none that is served', () => {
    const service = serviceOf({ 'deny-namespaces': '*.denied.test' });
    const used = service.get(Namespace.parse('used.test'));
    for (let index = 0; index < 5_000; index += 1) {
      expect(isServed(service, `n${index}.denied.test`)).toBe(false);
      expect(isServed(service, `n${index}.test:5000`)).toBe(false);
    }
    expect(service.get(Namespace.parse('used.test'))).toBe(used);
  });
});
