import { describe, expect, it } from 'vitest';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { mayReceiveCredentials } from './realm.js';
import { Upstream } from '../upstream.js';

function upstreamAt(host: string, settings: Partial<UpstreamSettings> = {}): Upstream {
  return new Upstream(Object.assign(new UpstreamSettings(), { namespace: 'registry.test', host }, settings), true);
}

describe('mayReceiveCredentials', () => {
  it.each([
    ['registry-1.docker.io', 'https://auth.docker.io/token'],
    ['ghcr.io', 'https://ghcr.io/token'],
    ['quay.io', 'https://quay.io/v2/auth'],
    ['registry.example.com:5000', 'https://registry.example.com:5000/auth'],
    ['registry.example.com:5000', 'https://auth.example.com:5000/auth'],
    ['gitlab.example.com:5050', 'https://gitlab.example.com/jwt/auth'],
    ['registry.example.com', 'https://REGISTRY.EXAMPLE.COM/auth'],
    ['registry.example.co.uk', 'https://auth.example.co.uk/'],
    ['registry.example.com', 'https://example.com/'],
    ['me.github.io', 'https://deep.me.github.io/'],
    ['10.0.0.1:5000', 'https://10.0.0.1:5000/auth'],
    ['[2001:db8::1]', 'https://[2001:db8::1]:443/auth'],
    ['localhost:5000', 'https://localhost:5000/auth'],
  ])('lets credentials of %s go to %s', (host, realm) => {
    expect(mayReceiveCredentials(upstreamAt(host), new URL(realm))).toBe(true);
  });

  it.each([
    ['registry-1.docker.io', 'https://auth.docker.com/token'],
    ['registry-1.docker.io', 'https://docker.io.evil.com/token'],
    ['registry-1.docker.io', 'https://evildocker.io/token'],
    ['registry.example.com', 'https://example.com.evil.net/'],
    ['registry.example.co.uk', 'https://evil.co.uk/'],
    ['registry.example.co.uk', 'https://co.uk/'],
    ['me.github.io', 'https://you.github.io/'],
    ['me.github.io', 'https://github.io/'],
    ['10.0.0.1:5000', 'https://10.0.0.2:5000/auth'],
    ['10.0.0.1', 'https://evil.10.0.0.1.nip.io/'],
    ['[2001:db8::1]', 'https://[2001:db8::2]/'],
    ['registry', 'https://auth/'],
    ['registry.example.com:5000', 'https://registry.example.com:5001/auth'],
    ['registry.example.com', 'https://registry.example.com:8443/auth'],
    ['registry.example.com', 'https://auth.example.com:8443/auth'],
    ['10.0.0.1:5000', 'https://10.0.0.1:5001/auth'],
    ['10.0.0.1:5000', 'https://10.0.0.1/auth'],
    ['[2001:db8::1]:5000', 'https://[2001:db8::1]:5001/auth'],
    ['localhost:5000', 'https://localhost/auth'],
    ['registry:5000', 'https://registry:5001/auth'],
    ['github.io:5000', 'https://github.io:5001/auth'],
    ['registry.example.com', 'https://xn--exmple-cua.com/'],
    ['registry.example.com', 'http://registry.example.com/auth'],
    ['registry.example.com', 'http://auth.example.com/auth'],
  ])('keeps credentials of %s from %s', (host, realm) => {
    expect(mayReceiveCredentials(upstreamAt(host), new URL(realm))).toBe(false);
  });

  it('allows http only where the registry itself is plain http', () => {
    const realm = new URL('http://auth.example.com/token');
    expect(mayReceiveCredentials(upstreamAt('registry.example.com', { tls: false }), realm)).toBe(true);
    expect(
      mayReceiveCredentials(upstreamAt('registry.example.com', { tokenRealms: ['auth.example.com'] }), realm),
    ).toBe(false);
  });

  it('allows the listed hosts, and only those', () => {
    const upstream = upstreamAt('registry.example.com', { tokenRealms: ['auth.elsewhere.net'] });
    for (const realm of ['https://auth.elsewhere.net/', 'https://auth.elsewhere.net:8443/'])
      expect(mayReceiveCredentials(upstream, new URL(realm))).toBe(true);
    expect(mayReceiveCredentials(upstream, new URL('https://elsewhere.net/'))).toBe(false);
    expect(mayReceiveCredentials(upstream, new URL('https://other.elsewhere.net/'))).toBe(false);
  });

  it.each([
    ['registry:5001', 'https://registry:5001/auth', 'https://registry:5002/auth'],
    ['10.0.0.1:443', 'https://10.0.0.1/auth', 'https://10.0.0.1:8443/auth'],
    ['[2001:DB8::1]:5001', 'https://[2001:db8::1]:5001/', 'https://[2001:db8::1]/'],
  ])('lets them go to %s at the listed port, as %s, and not to %s', (realm, listed, other) => {
    const upstream = upstreamAt('registry:5000', { tokenRealms: [realm] });
    expect(mayReceiveCredentials(upstream, new URL(listed))).toBe(true);
    expect(mayReceiveCredentials(upstream, new URL(other))).toBe(false);
  });

  it('does not treat a redirect host as a realm', () => {
    const upstream = upstreamAt('registry.example.com', { redirectHosts: ['cdn.elsewhere.net'] });
    expect(mayReceiveCredentials(upstream, new URL('https://cdn.elsewhere.net/token'))).toBe(false);
  });
});
