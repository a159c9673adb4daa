import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../configuration-error.js';
import { checkProxies, proxyOf } from './proxy.js';

const hostFor = (url: string) => proxyOf(new URL(url))?.host;

beforeEach(() => {
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'])
    vi.stubEnv(name, '').stubEnv(name.toLowerCase(), '');
});
afterEach(() => void vi.unstubAllEnvs());

describe('proxyOf', () => {
  it.each(['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])('%s is for https', (variable) => {
    vi.stubEnv(variable, 'http://proxy.test:3128');
    expect(hostFor('https://ghcr.io/v2/')).toBe('proxy.test:3128');
  });

  it.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'])('%s is for http', (variable) => {
    vi.stubEnv(variable, 'http://proxy.test:3128');
    expect(hostFor('http://registry.test/v2/')).toBe('proxy.test:3128');
  });

  it('each scheme has a variable of its own, and lower case comes first', () => {
    vi.stubEnv('HTTP_PROXY', 'http://plain.test').stubEnv('HTTPS_PROXY', 'http://upper.test');
    vi.stubEnv('https_proxy', 'http://lower.test').stubEnv('ALL_PROXY', 'http://any.test');
    expect(['https://a.test', 'http://a.test'].map(hostFor)).toEqual(['lower.test:80', 'plain.test:80']);
    expect(proxyOf(new URL('https://a.test'))).toMatchObject({ variable: 'https_proxy', authorization: undefined });
  });

  it.each([
    ['proxy.test:3128', 'proxy.test:3128', false],
    ['http://proxy.test', 'proxy.test:80', false],
    ['https://proxy.test', 'proxy.test:443', true],
    [' http://proxy.test:8080/ ', 'proxy.test:8080', false],
    ['http://[2001:db8::1]:3128', '[2001:db8::1]:3128', false],
  ])('%j is %s', (text, host, isSecure) => {
    vi.stubEnv('HTTPS_PROXY', text);
    expect(proxyOf(new URL('https://a.test'))).toMatchObject({ host, isSecure });
  });

  it('the credentials are decoded, and never printed', () => {
    vi.stubEnv('HTTPS_PROXY', 'http://us%40er:pass%2Fword%zz@proxy.test');
    const proxy = proxyOf(new URL('https://a.test'));
    expect(proxy?.authorization?.reveal()).toBe(`Basic ${Buffer.from('us@er:pass%2Fword%zz').toString('base64')}`);
    expect(JSON.stringify(proxy)).not.toContain('Basic');
  });

  it.each(['NO_PROXY', 'no_proxy'])('%s exempts hosts, by their port too', (variable) => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.test').stubEnv(variable, 'registry.test:5000,ghcr.io:443,10.0.0.0/8');
    const direct = ['https://registry.test:5000', 'https://ghcr.io', 'https://10.1.2.3'];
    expect(direct.map(hostFor)).toEqual([undefined, undefined, undefined]);
    expect(hostFor('https://registry.test')).toBe('proxy.test:80');
    vi.stubEnv(variable, '');
    expect(hostFor('https://ghcr.io')).toBe('proxy.test:80');
  });
});

describe('checkProxies', () => {
  it.each(['socks5://user:planted@proxy.test', 'http://', 'http://proxy.test:port', 'user:planted@:80'])(
    'refuses %s and says which variable, not what it holds',
    (text) => {
      vi.stubEnv('ALL_PROXY', text);
      const expected = new ConfigurationError([
        { path: 'ALL_PROXY', kind: 'text', reason: 'must be the URL of an http or https proxy' },
      ]);
      expect(() => checkProxies()).toThrow(expected);
    },
  );

  it('ignores a variable that is not used', () => {
    vi.stubEnv('ALL_PROXY', 'socks5://proxy.test');
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.test').stubEnv('HTTP_PROXY', 'proxy.test');
    expect(() => checkProxies()).not.toThrow();
  });
});
