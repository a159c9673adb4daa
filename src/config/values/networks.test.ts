import { describe, expect, it } from 'vitest';
import { Networks, parseNetwork } from './networks.js';

describe('parseNetwork', () => {
  it.each(['10.0.0.0/8', '10.0.0.7', '0.0.0.0/0', 'fd00::/8', '::1', '::1/128', 'FD00::/8'])('takes %s', (text) => {
    expect(parseNetwork(text)).toBeDefined();
  });

  it.each([
    '',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8 ',
    'host',
    'fe80::1%lo',
  ])('refuses %j', (text) => expect(parseNetwork(text)).toBeUndefined());
});

describe('Networks', () => {
  const networks = new Networks(['10.0.0.0/8', '192.168.7.9', 'fd00::/8']);

  it.each(['10.0.0.0', '10.255.255.255', '192.168.7.9', 'fd12::1', '::ffff:10.1.2.3', '::ffff:a01:203'])(
    'has %s',
    (address) => expect(networks.has(address)).toBe(true),
  );

  it.each(['9.255.255.255', '11.0.0.0', '192.168.7.8', 'fe80::1', '::1', '127.0.0.1', 'name', '', '[fd12::1]'])(
    'has not %j',
    (address) => expect(networks.has(address)).toBe(false),
  );

  it('has nothing without networks', () => {
    expect(new Networks([]).has('10.0.0.1')).toBe(false);
  });
});
