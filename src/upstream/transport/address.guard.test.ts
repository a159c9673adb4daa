import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressError, checkLiteralHost, guardedLookup, isPublicAddress } from './address.guard.js';

describe('isPublicAddress', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.0.3.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '203.0.112.255',
    '203.0.114.0',
    '223.255.255.255',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2606:4700:4700::1111',
    '2a00:1450::1',
    '2000::1',
    '3ffe::1',
  ])('takes %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    '10.0.0.0',
    '100.64.0.0',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.255.255',
    '224.0.0.0',
    '255.255.255.255',
    '0.0.0.0',
    '::',
    '::1',
    '::8.8.8.8',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '::FFFF:7F00:1',
    '0:0:0:0:0:ffff:7f00:1',
    '64:ff9b::8.8.8.8',
    '2001::1',
    '2001:1ff:ffff::1',
    '2001:db8:ffff::1',
    '2002:808:808::1',
    '3fff:fff::1',
    '4000::1',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'fe80::1%eth0',
    '::1%1',
    'fec0::1',
    'ff02::1',
  ])('refuses %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['', 'localhost', 'example.com', '127.1', '0x7f.0.0.1', '1.1.1.1.', '[::1]', '1.1.1.1:80', '::g'])(
    'refuses %s, which is not an address',
    (text) => {
      expect(isPublicAddress(text)).toBe(false);
    },
  );

  it('refuses every address that embeds an IPv4 address, public or not', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::', '::ffff:0:'), (address, prefix) => {
        expect(isPublicAddress(prefix + address)).toBe(false);
      }),
    );
  });

  it('never throws, and accepts only addresses', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => {
        if (isPublicAddress(text)) expect(isIP(text)).not.toBe(0);
      }),
    );
  });
});

describe('guardedLookup', () => {
  const resolving =
    (...found: string[]): LookupFunction =>
    (_name, options, callback) => {
      const addresses: LookupAddress[] = found.map((address) => ({ address, family: isIP(address) }));
      expect(options.all).toBe(true);
      callback(null, addresses);
    };
  const lookUp = (lookup: LookupFunction, all: boolean) =>
    new Promise<unknown>((resolve) =>
      lookup('name.example', { all }, (error, address, family) =>
        resolve(error ?? (all ? address : [address, family])),
      ),
    );

  it('returns all addresses or the first one, as requested', async () => {
    const lookup = guardedLookup(resolving('1.1.1.1', '2606:4700::1'));
    expect(await lookUp(lookup, true)).toEqual([
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    expect(await lookUp(lookup, false)).toEqual(['1.1.1.1', 4]);
  });

  it.each([[['10.0.0.1']], [['1.1.1.1', '10.0.0.1']], [['10.0.0.1', '1.1.1.1']], [['1.1.1.1', '::1']], [[]]])(
    'refuses the name as a whole for %j',
    async (addresses) => {
      for (const all of [true, false])
        expect(await lookUp(guardedLookup(resolving(...addresses)), all)).toBeInstanceOf(AddressError);
    },
  );

  it('passes on a resolution error', async () => {
    const failure = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    const lookup = guardedLookup((_name, _options, callback) => callback(failure, ''));
    expect(await lookUp(lookup, true)).toBe(failure);
  });
});

describe('checkLiteralHost', () => {
  it.each(['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '169.254.169.254'])('refuses %s', (host) => {
    expect(() => checkLiteralHost(host)).toThrow(AddressError);
  });

  it.each(['1.1.1.1', '[2606:4700::1]', 'localhost', 'example.com'])('leaves %s to the lookup', (host) => {
    expect(() => checkLiteralHost(host)).not.toThrow();
  });
});
