/**
 * The eight groups of an IPv6 address as hexadecimal numbers, without leading zeros (RFC 4291 section 2.2): `::` stands for
 * zeros, and an IPv4 address at the end for two groups.
 * @param address well-formed, in lower case, without a zone
 */
export function groupsOfIPv6(address: string): string[] {
  const [head = '', tail] = address.split('::', 2);
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
}

function groupsOf(text: string): string[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => (group.includes('.') ? groupsOfIPv4(group) : [group.replace(/^0+(?=.)/, '')]));
}

function groupsOfIPv4(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
}
