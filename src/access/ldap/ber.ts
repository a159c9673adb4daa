/** One element of BER (X.690 §8.1): a tag and contents, which may be elements. */
export interface Element {
  readonly tag: number;
  readonly contents: Buffer;
}

/** What is sent by a directory and is not LDAP, or more of it than there should be. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** An entry or a list that is longer than anybody needs. */
export class TooLong extends MalformedMessage {}

export const octetString = 0x04;
export const sequence = 0x30;
const integerTag = 0x02;
const enumeratedTag = 0x0a;
/** Longest header in bytes: a tag, and a length of four bytes. */
export const maxHeader = 6;
/** Elements in one list. */
const maxElements = 10_000;

export function encode(tag: number, ...contents: readonly (Buffer | string)[]): Buffer {
  const parts = contents.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthOf(size), ...parts]);
}

/** @param value from 0 to 2^31 - 1 */
export function encodeInteger(value: number, tag = integerTag): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  // The first nine bits are never the same (X.690 §8.3.2).
  let start = 0;
  while (start < 3 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start += 1;
  return encode(tag, bytes.subarray(start));
}

export function encodeEnumerated(value: number): Buffer {
  return encodeInteger(value, enumeratedTag);
}

export function encodeBoolean(value: boolean): Buffer {
  return encode(0x01, Buffer.from([value ? 0xff : 0]));
}

function lengthOf(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const bytes = Buffer.alloc(5);
  bytes[0] = 0x84;
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

/**
 * Bytes of the element that begins here, with its header; undefined while the header is incomplete.
 * @throws MalformedMessage for lengths that LDAP does not allow (RFC 4511 §5.1)
 */
export function sizeOf(bytes: Buffer): number | undefined {
  const header = headerOf(bytes);
  return header && header.start + header.length;
}

function headerOf(bytes: Buffer): { readonly start: number; readonly length: number } | undefined {
  const first = bytes[1];
  if (((bytes[0] ?? 0) & 0x1f) === 0x1f) throw new MalformedMessage('a tag that LDAP does not have');
  if (first === undefined) return undefined;
  if (first < 0x80) return { start: 2, length: first };
  const count = first & 0x7f;
  if (count === 0 || count > maxHeader - 2) throw new MalformedMessage('a length that LDAP does not have');
  return bytes.length < 2 + count ? undefined : { start: 2 + count, length: bytes.readUIntBE(2, count) };
}

/** Splits contents into the elements that fill them. @throws MalformedMessage */
export function elementsOf(contents: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < contents.length;) {
    const rest = contents.subarray(at);
    const header = headerOf(rest);
    const size = header && header.start + header.length;
    if (!header || size === undefined || size > rest.length)
      throw new MalformedMessage('an element longer than what it is in');
    elements.push({ tag: rest[0] ?? 0, contents: rest.subarray(header.start, size) });
    if (elements.length > maxElements) throw new TooLong(`more than ${maxElements} elements`);
    at += size;
  }
  return elements;
}

/** @param tag of an integer or an enumeration. @throws MalformedMessage */
export function integerOf(element: Element | undefined, tag: 'integer' | 'enumerated' = 'integer'): number {
  const { contents } = expectTag(element, tag === 'integer' ? integerTag : enumeratedTag);
  if (contents.length === 0 || contents.length > 4) throw new MalformedMessage('a number that is too long');
  return contents.readIntBE(0, contents.length);
}

/** @throws MalformedMessage for anything but an octet string */
export function textOf(element: Element | undefined): string {
  return expectTag(element, octetString).contents.toString('utf8');
}

/** @throws MalformedMessage when it is missing or another one */
export function expectTag(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new MalformedMessage(`an element other than 0x${tag.toString(16)}`);
  return element;
}
