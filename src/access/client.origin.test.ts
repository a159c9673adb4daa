import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClientOrigins } from './client.origin.js';

const origins = () => new ClientOrigins(undefined, ['127.0.0.1', '10.0.0.0/8']);
const addressOf = (header: string | undefined, from = origins()) =>
  from.of({
    remoteAddress: '127.0.0.1',
    tls: undefined,
    headers: header === undefined ? {} : { 'x-forwarded-for': header },
  }).address;

afterEach(() => vi.restoreAllMocks());

describe('X-Forwarded-For of a trusted proxy', () => {
  it.each([
    ['192.0.2.10', '192.0.2.10'],
    ['192.0.2.10:40000', '192.0.2.10'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['::ffff:192.0.2.10', '::ffff:192.0.2.10'],
    ['203.0.113.1, 192.0.2.10:1', '192.0.2.10'],
    // Another trusted proxy, with a port.
    ['192.0.2.10:1, 10.1.2.3:4', '192.0.2.10'],
    ['10.1.2.3:4', '127.0.0.1'],
    ['', '127.0.0.1'],
    [undefined, '127.0.0.1'],
  ])('%s is %s', (header, address) => {
    const warn = vi.spyOn(Logger.prototype, 'warn');
    expect(addressOf(header)).toBe(address);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each([
    'unknown',
    '_hidden',
    '192.0.2.999',
    '192.0.2.011',
    '[192.0.2.1',
    '192.0.2.1:x',
    'fe80::1%eth0',
    'a'.repeat(60),
  ])('that is no address is that of the proxy, and is logged once: %s', (header) => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const same = origins();
    for (let count = 0; count < 3; count += 1) expect(addressOf(`192.0.2.1, ${header}`, same)).toBe('127.0.0.1');
    expect(warn).toHaveBeenCalledOnce();
  });
});
