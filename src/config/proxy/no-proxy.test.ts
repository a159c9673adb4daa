import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NoProxy } from './no-proxy.js';

const covers = (text: string, hostname: string, port = 443) => new NoProxy(text).has(hostname, port);

describe('NO_PROXY', () => {
  it('has entries that match nothing', () => {
    const text = 'a.test, http://b.test *.c.test,10.0.0.0/99,x*y, [::1]:80 *,127.0.0.1,d.test:5000';
    expect(NoProxy.unusable(text)).toEqual(['http://b.test', '10.0.0.0/99', 'x*y']);
  });

  it.each([
    ['*', 'ghcr.io'],
    ['other.test, *', 'ghcr.io'],
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.io', 'ghcr.IO'],
    ['ghcr.io', 'pkg.ghcr.io'],
    ['ghcr.io', 'ghcr.io.'],
    ['ghcr.io.', 'ghcr.io'],
    ['.example.com', 'registry.example.com'],
    ['.example.com', 'a.b.example.com'],
    ['*.example.com', 'registry.example.com'],
    ['.svc,.cluster.local', 'registry.default.svc'],
    ['a.test b.test\tc.test', 'b.test'],
    [' a.test , b.test ', 'b.test'],
    ['bücher.test', 'xn--bcher-kva.test'],
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3/32', '10.1.2.3'],
    ['0.0.0.0/0', '192.0.2.7'],
    ['fd00::/8', '[fd12::7]'],
    ['[fd00::]/8', '[fd12::7]'],
    ['2001:db8::1', '[2001:db8:0::1]'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['10.0.0.0/8', '[::ffff:10.1.2.3]'],
    ['192.0.2.7', '192.0.2.7'],
    // A request to the machine itself never needs a proxy.
    ['', 'localhost'],
    ['', 'localhost.'],
    ['', 'registry.localhost'],
    ['', '127.0.0.1'],
    ['', '127.9.9.9'],
    ['', '[::1]'],
  ])('%j covers %s', (text, hostname) => expect(covers(text, hostname)).toBe(true));

  it.each([
    ['', 'ghcr.io'],
    [',, ,', 'ghcr.io'],
    ['ghcr.io', 'notghcr.io'],
    ['ghcr.io', 'ghcr.io.evil.test'],
    ['.example.com', 'example.com'],
    ['*.example.com', 'example.com'],
    ['.example.com', 'badexample.com'],
    ['example.*', 'example.com'],
    ['ex*.com', 'example.com'],
    ['10.0.0.0/8', '11.1.2.3'],
    ['10.0.0.0/33', '10.1.2.3'],
    ['10.0.0.0/8', 'ten.test'],
    ['10.0.0.0/8', '10.evil.test'],
    ['fd00::/8', '[fe00::1]'],
    ['0.0.0.0/0', '[2001:db8::1]'],
    ['/', 'ghcr.io'],
    ['.', 'ghcr.io'],
    [':443', 'ghcr.io'],
    ['http://ghcr.io', 'ghcr.io'],
  ])('%j does not cover %s', (text, hostname) => expect(covers(text, hostname)).toBe(false));

  it.each([
    ['registry.test:5000', 'registry.test', 5000],
    ['.test:5000', 'registry.test', 5000],
    ['*.test:5000', 'registry.test', 5000],
    ['192.0.2.7:5000', '192.0.2.7', 5000],
    ['[2001:db8::1]:5000', '[2001:db8::1]', 5000],
  ])('%s covers that port of %s only', (text, hostname, port) => {
    expect([covers(text, hostname, port), covers(text, hostname, 443)]).toEqual([true, false]);
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'a1.:/*[]% ,'.split('')) })), (text) => {
        expect(typeof covers(text, 'registry.test')).toBe('boolean');
      }),
    );
  });
});
