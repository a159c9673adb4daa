import { groupsOfIPv6 } from '../../config/values/ipv6.js';

/** An address as limits count it: IPv4 as it is, IPv6 as its /64, which is what a single customer has at least. */
export function networkOf(address: string): string {
  const text = address.replace(/%.*$/, '').toLowerCase();
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? [];
  if (mapped !== undefined) return mapped;
  if (!text.includes(':')) return text;
  return `${groupsOfIPv6(text).slice(0, 4).join(':')}::/64`;
}
