import type { LdapFilter } from '../../config/access/ldap-filter.js';
import { encode, encodeBoolean, octetString, sequence } from './ber.js';

/** What fills the placeholders of a filter. */
export type Filling = Readonly<Record<string, string>>;

/** Tags of filters (RFC 4511 §4.5.1.7). */
const tags = {
  and: 0xa0,
  or: 0xa1,
  not: 0xa2,
  equal: 0xa3,
  substrings: 0xa4,
  least: 0xa5,
  most: 0xa6,
  present: 0x87,
  approximate: 0xa8,
  extensible: 0xa9,
} as const;

/** A filter that every entry passes. */
export const everyEntry = encode(tags.present, 'objectClass');

/** @param filling values as they are: they are put in after the filter has been parsed, so that they need no escapes */
export function encodeFilter(filter: LdapFilter, filling: Filling): Buffer {
  const tag = tags[filter.kind];
  const valueOf = (text: string) => encodeValue(text, filling);
  switch (filter.kind) {
    case 'and':
    case 'or':
      return encode(tag, ...filter.filters.map((each) => encodeFilter(each, filling)));
    case 'not':
      return encode(tag, encodeFilter(filter.filter, filling));
    case 'present':
      return encode(tag, filter.attribute);
    case 'substrings':
      return encode(
        tag,
        encode(octetString, filter.attribute),
        encode(sequence, ...substringsOf(filter.parts, valueOf)),
      );
    case 'extensible':
      return encode(
        tag,
        ...(filter.rule === undefined ? [] : [encode(0x81, filter.rule)]),
        ...(filter.attribute === undefined ? [] : [encode(0x82, filter.attribute)]),
        encode(0x83, valueOf(filter.value)),
        ...(filter.isOfDn ? [encode(0x84, encodeBoolean(true).subarray(2))] : []),
      );
    case 'equal':
    case 'least':
    case 'most':
    case 'approximate':
      return encode(tag, encode(octetString, filter.attribute), encode(octetString, valueOf(filter.value)));
  }
}

/** The first part is what a value begins with, the last what it ends with. */
function substringsOf(parts: readonly string[], valueOf: (text: string) => Buffer): Buffer[] {
  return parts.flatMap((part, index) => {
    if (part === '') return [];
    const tag = index === 0 ? 0x80 : index === parts.length - 1 ? 0x82 : 0x81;
    return [encode(tag, valueOf(part))];
  });
}

/** Escapes stand for bytes (RFC 4515 §3). */
function encodeValue(text: string, filling: Filling): Buffer {
  const parts = text.split(/(\{[a-z]+\}|\\[0-9A-Fa-f]{2})/).map((part) => {
    if (part.startsWith('\\')) return Buffer.from(part.slice(1), 'hex');
    return Buffer.from((part.startsWith('{') ? filling[part.slice(1, -1)] : undefined) ?? part);
  });
  return Buffer.concat(parts);
}
