import { isUtf8 } from 'node:buffer';
import {
  elementsOf,
  encode,
  encodeBoolean,
  encodeEnumerated,
  encodeInteger,
  expectTag,
  integerOf,
  MalformedMessage,
  octetString,
  sequence,
  textOf,
  TooLong,
  type Element,
} from './ber.js';

/** Tags of operations (RFC 4511 §4.2 to §4.14). */
export const operations = {
  bindResponse: 0x61,
  searchEntry: 0x64,
  searchDone: 0x65,
  searchReference: 0x73,
  extendedResponse: 0x78,
} as const;

/** Result codes that have a meaning here (RFC 4511 appendix A). */
export const resultCodes = {
  success: 0,
  sizeLimitExceeded: 4,
  referral: 10,
  noSuchObject: 32,
  insufficientAccessRights: 50,
} as const;

const protocolVersion = 3;
const startTlsName = '1.3.6.1.4.1.1466.20037';
const set = 0x31;
const scopes = { base: 0, below: 2 } as const;
/** Aliases are not followed: they could lead to entries outside of the base. */
const neverDereference = 0;

export interface Search {
  readonly base: string;
  /** The entry itself, or everything below it. */
  readonly scope: keyof typeof scopes;
  /** Encoded. */
  readonly filter: Buffer;
  readonly attributes: readonly string[];
  readonly maxEntries: number;
  /** Seconds. */
  readonly timeLimit: number;
}

/** An entry with the values of attributes by their names in lower case. */
export interface Entry {
  readonly dn: string;
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

export interface Message {
  readonly id: number;
  readonly operation: Element;
}

export function encodeMessage(id: number, operation: Buffer): Buffer {
  return encode(sequence, encodeInteger(id), operation);
}

/** A simple bind. */
export function bindRequest(dn: string, password: string): Buffer {
  return encode(0x60, encodeInteger(protocolVersion), encode(octetString, dn), encode(0x80, password));
}

export function unbindRequest(): Buffer {
  return encode(0x42);
}

export function startTlsRequest(): Buffer {
  return encode(0x77, encode(0x80, startTlsName));
}

export function searchRequest({ base, scope, filter, attributes, maxEntries, timeLimit }: Search): Buffer {
  const names = attributes.map((name) => encode(octetString, name));
  return encode(
    0x63,
    encode(octetString, base),
    encodeEnumerated(scopes[scope]),
    encodeEnumerated(neverDereference),
    encodeInteger(maxEntries),
    encodeInteger(timeLimit),
    encodeBoolean(false),
    filter,
    encode(sequence, ...names),
  );
}

/** Controls after the operation are not read: none was asked for. @throws MalformedMessage */
export function parseMessage(bytes: Buffer): Message {
  const [message] = elementsOf(bytes);
  const [id, operation] = elementsOf(expectTag(message, sequence).contents);
  if (!operation) throw new MalformedMessage('a message without an operation');
  return { id: integerOf(id), operation };
}

/** @returns the result code. @throws MalformedMessage for another operation */
export function resultOf(operation: Element, tag: number): number {
  const [code, matchedDn, diagnostics] = elementsOf(expectTag(operation, tag).contents);
  expectTag(matchedDn, octetString);
  expectTag(diagnostics, octetString);
  return integerOf(code, 'enumerated');
}

/** @param wanted attributes to read; others are skipped. @throws MalformedMessage */
export function parseEntry({ contents }: Element, wanted: readonly string[]): Entry {
  const [dn, list] = elementsOf(contents);
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  const attributes = new Map<string, readonly string[]>();
  for (const attribute of elementsOf(expectTag(list, sequence).contents)) {
    const [type, values] = elementsOf(expectTag(attribute, sequence).contents);
    const [name = '', ...options] = textOf(type).toLowerCase().split(';');
    // With an option, such as a language, it is another attribute.
    if (!names.has(name) || !options.every((option) => option.startsWith('range='))) continue;
    // Active Directory sends the first values of a long list only.
    if (options.some((option) => !option.endsWith('-*'))) throw new TooLong(`a part of ${name}`);
    const texts = elementsOf(expectTag(values, set).contents).filter(({ contents: value }) => isUtf8(value));
    attributes.set(name, [...(attributes.get(name) ?? []), ...texts.map(textOf)]);
  }
  return { dn: textOf(dn), attributes };
}
