import { ascii, JsonCursor } from './json.cursor.js';

/** An entry of an object whose names nobody knows before, as those of annotations. */
export interface JsonEntry {
  readonly name: string;
  /** The value as text: of a string what it says, of anything else how it is written. */
  readonly text: string;
}

/** Entries of an object, as far as they are read. */
export interface JsonEntries {
  readonly entries: readonly JsonEntry[];
  /** Entries that were only checked. */
  readonly more: number;
}

/**
 * Reads the first entries of an object, for people to see: a name that is there twice stays twice. Texts are cut.
 * @param bytes of the object alone. @param longest characters of a name or text.
 * @throws JsonError
 */
export function readEntries(bytes: Uint8Array, max: number, longest: number): JsonEntries {
  const cursor = new JsonCursor(bytes);
  const entries: JsonEntry[] = [];
  let more = 0;
  if (cursor.peek() !== ascii.openObject) return { entries, more };
  cursor.enter();
  for (let isOver = cursor.peek() === ascii.closeObject; !isOver; isOver = cursor.isLast(ascii.closeObject)) {
    cursor.peek();
    const start = cursor.position;
    const name = bytes.subarray(start, cursor.skipKey());
    cursor.peek();
    const valueStart = cursor.position;
    cursor.skipValue();
    if (entries.length < max)
      entries.push({ name: textOf(name, longest), text: textOf(bytes.subarray(valueStart, cursor.position), longest) });
    else more += 1;
  }
  cursor.leave();
  cursor.expectEnd();
  return { entries, more };
}

function textOf(bytes: Uint8Array, longest: number): string {
  const written = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[0] !== ascii.quote) return cut(written.toString('utf8', 0, 4 * longest + 4), longest);
  return cut(JSON.parse(written.toString('utf8')) as string, longest);
}

/** The beginning of a long text, with a mark that it is not all of it. */
export function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}
