import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseListenAddress } from './listen-address.js';

describe('parseListenAddress', () => {
  const addresses = {
    '0.0.0.0:8080': { host: '0.0.0.0', port: 8080 },
    '127.0.0.1:0': { host: '127.0.0.1', port: 0 },
    'localhost:5000': { host: 'localhost', port: 5000 },
    ':8080': { host: '::', port: 8080 },
    '[::]:8080': { host: '::', port: 8080 },
    '[::1]:443': { host: '::1', port: 443 },
    '[FE80::1]:65535': { host: 'FE80::1', port: 65535 },
    'unix:/run/registry.sock': { path: '/run/registry.sock' },
    'unix:registry.sock': { path: 'registry.sock' },
    'unix:/with space:and:colons': { path: '/with space:and:colons' },
  };
  for (const [text, address] of Object.entries(addresses)) {
    it(`reads ${text}`, () => expect(parseListenAddress(text)).toEqual(address));
  }

  for (const text of [
    '',
    '8080',
    'localhost',
    'localhost:',
    'localhost:http',
    'localhost:65536',
    'localhost:123456',
    'localhost:-1',
    'localhost:80 ',
    'local host:80',
    '::1:8080',
    '[::1]',
    '[::1]8080',
    '[localhost]:80',
    '[127.0.0.1]:80',
    '[:::1]:80',
    '[]:80',
    'http://localhost:80',
    'unix:',
    'UNIX',
  ]) {
    it(`reads nothing in ${JSON.stringify(text)}`, () => expect(parseListenAddress(text)).toBeUndefined());
  }

  it('gives a port that can be listened on, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'a:[]09.'.split('')) })), (text) => {
        const address = parseListenAddress(text);
        if (!address || 'path' in address) return;
        expect(address.port).toBeGreaterThanOrEqual(0);
        expect(address.port).toBeLessThanOrEqual(65535);
        expect(address.host).not.toMatch(/[[\]\s]/);
      }),
    );
  });
});
