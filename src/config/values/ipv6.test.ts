import fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupsOfIPv6 } from './ipv6.js';

it.each([
  ['::', '0:0:0:0:0:0:0:0'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['2001:db8::', '2001:db8:0:0:0:0:0:0'],
  ['2001:0db8:0:0:1::00ff', '2001:db8:0:0:1:0:0:ff'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['::ffff:192.0.2.33', '0:0:0:0:0:ffff:c000:221'],
])('%s has the groups %s', (address, groups) => {
  expect(groupsOfIPv6(address).join(':')).toBe(groups);
});

it('has the groups that the URL parser finds, however an address is written', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
      expect(groupsOfIPv6(address.toLowerCase())).toEqual(groupsOfIPv6(canonical));
      expect(groupsOfIPv6(canonical)).toHaveLength(8);
    }),
  );
});
