import { findStringArray, JsonError } from '../../oci/json/json.js';

const quote = 0x22;
const backslash = 0x5c;

/** A part of the tags of a list. */
export interface TagPart {
  /** The elements of the array, without its brackets. */
  readonly elements: Uint8Array;
  readonly count: number;
  readonly final: string | undefined;
  /** Whether more tags follow. */
  readonly isCut: boolean;
  /** Whether there are all tags of the list. */
  readonly isWhole: boolean;
}

/**
 * The first tags of a list document, without reading it into strings.
 * @param count how many at most.
 * @param after only those after this one, if it is in the list: some registries ignore `last`.
 * @returns undefined when the document has no array of tags.
 */
export function takeTags(document: Uint8Array, count: number, after: string | null): TagPart | undefined {
  const array = arrayOf(document);
  if (array === undefined) return undefined;
  const known = findKnown(array, after);
  // Positions of the first and the last element, and numbers of elements: taken, and seen.
  let [first, final, end, taken, seen] = [-1, -1, -1, 0, 0];
  for (let from = array.indexOf(quote), to = 0; from !== -1; from = array.indexOf(quote, to)) {
    to = endOf(array, from);
    seen += 1;
    if (known?.length === to - from && known.equals(array.subarray(from, to))) [first, taken] = [-1, 0];
    else if ((taken += 1) > count && !known) break;
    else if (taken <= count) {
      if (first === -1) first = from;
      [final, end] = [from, to];
    }
  }
  return {
    elements: first === -1 ? new Uint8Array() : array.subarray(first, end),
    count: Math.min(taken, count),
    final: first === -1 ? undefined : (JSON.parse(Buffer.from(array.subarray(final, end)).toString()) as string),
    isCut: taken > count,
    isWhole: seen === Math.min(taken, count),
  };
}

/** A list document of the parts. */
export function tagsDocument(parts: readonly TagPart[]): Buffer {
  const filled = parts.filter(({ count }) => count > 0);
  const elements = filled.flatMap((part, index) => (index === 0 ? [part.elements] : [Buffer.from(','), part.elements]));
  return Buffer.concat([Buffer.from('{"tags":['), ...elements, Buffer.from(']}')]);
}

/** The text of a tag if the array may have it. */
function findKnown(array: Uint8Array, tag: string | null): Buffer | undefined {
  const known = tag === null ? undefined : Buffer.from(JSON.stringify(tag));
  return known && Buffer.from(array.buffer, array.byteOffset, array.length).includes(known) ? known : undefined;
}

/** Some registries send null for an empty list. */
function arrayOf(document: Uint8Array): Uint8Array | undefined {
  try {
    const found = findStringArray(document, 'tags');
    return found === null ? new Uint8Array() : found;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** The position after the string that begins at a position, its quotes included. */
function endOf(array: Uint8Array, from: number): number {
  let to = from + 1;
  while (array[to] !== quote) to += array[to] === backslash ? 2 : 1;
  return to + 1;
}
