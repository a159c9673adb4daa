import { createHash } from 'node:crypto';
import { Digest } from '../oci/digest.js';

/** Longest readable escaped tag or namespace; file systems limit a component to 255 bytes. */
const longestComponent = 200;

/** Replaces text that is too long with `_-` and its hash; no escape begins with `_-`. */
export function component(text: string): string {
  const escaped = escape(text);
  return escaped.length <= longestComponent ? escaped : `_-${hashOf(text)}`;
}

/** `_` → `__`, `A` → `_a`, anything else → `_03a.`, its code in hexadecimal. */
function escape(text: string): string {
  return text.replace(/[^a-z0-9.-]/g, (character) => {
    if (character === '_') return '__';
    if (character >= 'A' && character <= 'Z') return `_${character.toLowerCase()}`;
    return `_0${character.charCodeAt(0).toString(16)}.`;
  });
}

/**
 * As `escape` for tags, in their order: `A` to `Z` → `_0` to `_9` and `_a` to `_p`, `_` → `_z`.
 * One that is too long ends with its hash; the record has the tag itself.
 */
export function orderedTag(tag: string): string {
  return ordered(
    tag,
    tag.replace(/[A-Z_]/g, (letter) => (letter === '_' ? '_z' : `_${(letter.charCodeAt(0) - 65).toString(26)}`)),
  );
}

/** A tag from its key's last component; undefined when only its record has it. */
export function parseOrderedTag(text: string): string | undefined {
  if (text.includes(isShortened)) return undefined;
  return text.replace(/_([0-9a-p]|z)/g, (_, code: string) =>
    code === 'z' ? '_' : String.fromCharCode(65 + Number.parseInt(code, 26)),
  );
}

/** A repository's name as one component, in the order of names: `.` → `.-`, and `/`, which comes behind it, → `._`. */
export function orderedName(name: string): string {
  return ordered(name, escapeName(name));
}

function escapeName(name: string): string {
  return name.replace(/[./]/g, (character) => (character === '.' ? '.-' : '._'));
}

/** A name from its key's last component; undefined when only its record has it. */
export function parseOrderedName(text: string): string | undefined {
  if (text.includes(isShortened)) return undefined;
  return text.replace(/\.([-_])/g, (_, code: string) => (code === '-' ? '.' : '/'));
}

/**
 * A namespace and a name as one component, in their order: as `orderedName`, and `:` → `_-`, which comes before `_` → `__`.
 * Undefined where a component has no room for it, and for other characters.
 */
export function orderedReference(text: string): string | undefined {
  const escaped = escapeReference(text);
  return escaped.length <= longestComponent && /^[a-z0-9._-]+$/.test(escaped) ? escaped : undefined;
}

function escapeReference(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '.': '.-', '/': '._', ':': '_-', _: '__' };
  return text.replace(/[./:_]/g, (character) => escapes[character] ?? '');
}

/** Undefined for what is no reference as one component. */
export function parseOrderedReference(component: string): string | undefined {
  const characters: Readonly<Record<string, string>> = { '.-': '.', '._': '/', '_-': ':', __: '_' };
  const text = component.replace(/[._][-_]/g, (code) => characters[code] ?? '');
  return orderedReference(text) === component ? text : undefined;
}

/** Characters of names and references, each in their order. */
const nameCharacters = '-./0123456789_abcdefghijklmnopqrstuvwxyz';
const referenceCharacters = '-./0123456789:_abcdefghijklmnopqrstuvwxyz';

/** The place of any text among names as `orderedName` has them; '' is before all of them. */
export function placeAmongNames(text: string): string {
  return placeAmong(text, nameCharacters, escapeName);
}

/** As `placeAmongNames`, for `orderedReference`. */
export function placeAmongReferences(text: string): string {
  return placeAmong(text, referenceCharacters, escapeReference);
}

/** Text with a character that none may have is behind all that have a smaller one in its place. */
function placeAmong(text: string, characters: string, escaped: (start: string) => string): string {
  const start = text.slice(0, longestComponent + 1);
  const end = Array.from(start, (_, at) => start.charAt(at)).findIndex((character) => !characters.includes(character));
  if (end === -1) return escaped(start);
  const smaller = Array.from(characters)
    .filter((character) => character < start.charAt(end))
    .at(-1);
  const before = start.slice(0, end);
  // No escape has a character as great as `~`.
  return smaller === undefined ? escaped(before) : `${escaped(before + smaller)}~`;
}

/** No escape of a tag has `_-`, and none of a name `.0`. */
const isShortened = '_-.0';

function ordered(text: string, escaped: string): string {
  return escaped.length <= longestComponent ? escaped : `${escaped.slice(0, 120)}${isShortened}${hashOf(text)}`;
}

/** A digest as one component. */
export function digestComponent({ algorithm, hex }: Digest): string {
  return `${algorithm}-${hex}`;
}

/** Undefined for what is no digest as one component. */
export function parseDigestComponent(text: string): Digest | undefined {
  return Digest.find(text.replace('-', ':'));
}

/** Reverses `escape`; a hash stays unchanged. */
export function unescape(text: string): string {
  if (text.startsWith('_-')) return text;
  return text.replace(/_(?:0([0-9a-f]{1,4})\.|([a-z_]))/g, (_, code: string | undefined, character: string) =>
    code === undefined
      ? character === '_'
        ? '_'
        : character.toUpperCase()
      : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** SHA-256 in hexadecimal. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
