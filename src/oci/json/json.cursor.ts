/** Levels of the deepest document that is read; those of registries have about six. */
export const maxJsonDepth = 64;

/** Why bytes are no JSON document, or none that is read. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

export const ascii = {
  space: 0x20,
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  dot: 0x2e,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openArray: 0x5b,
  backslash: 0x5c,
  closeArray: 0x5d,
  e: 0x65,
  f: 0x66,
  n: 0x6e,
  t: 0x74,
  u: 0x75,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

/** Goes through one document from its first byte to its last (RFC 8259). */
export class JsonCursor {
  /** Of the next byte. */
  position = 0;
  /** Objects and arrays that are open. */
  private depth = 0;
  /** Which of them are objects, by level, inside a value that is only checked. */
  private readonly open = new Uint8Array(maxJsonDepth + 1);

  constructor(protected readonly bytes: Uint8Array) {}

  /** Checks one value of any kind, and makes nothing of it. */
  skipValue(): void {
    this.skipTo(this.depth);
  }

  /** Checks the rest of an array, from an item on, and leaves it. */
  skipItems(): void {
    this.open[this.depth] = 0;
    this.skipTo(this.depth - 1);
  }

  /** Checks a value, and what comes after it until so many levels are left. */
  private skipTo(outside: number): void {
    const { open, bytes } = this;
    for (;;) {
      const first = this.peek();
      if (first === ascii.openObject || first === ascii.openArray) {
        const isObject = first === ascii.openObject;
        this.enter();
        open[this.depth] = isObject ? 1 : 0;
        if (this.peek() !== (isObject ? ascii.closeObject : ascii.closeArray)) {
          if (isObject) this.skipKey();
          continue;
        }
        this.leave();
      } else this.position = skipScalar(bytes, this.position);
      while (this.depth > outside) {
        const isObject = open[this.depth] === 1;
        if (!this.isLast(isObject ? ascii.closeObject : ascii.closeArray)) {
          if (isObject) this.skipKey();
          break;
        }
        this.leave();
      }
      if (this.depth === outside) return;
    }
  }

  /** @returns where the key ends; its value comes next. */
  skipKey(): number {
    if (this.peek() !== ascii.quote) throw unexpected(this.position);
    const end = skipString(this.bytes, this.position);
    this.position = end;
    if (this.peek() !== ascii.colon) throw unexpected(this.position);
    this.position += 1;
    return end;
  }

  /** Whether the container ends here; otherwise its next entry comes. */
  isLast(close: number): boolean {
    const next = this.peek();
    if (next === close) return true;
    if (next !== ascii.comma) throw unexpected(this.position);
    this.position += 1;
    return false;
  }

  enter(): void {
    this.position += 1;
    this.depth += 1;
    if (this.depth > maxJsonDepth) throw new JsonError(`the document has more than ${maxJsonDepth} levels`);
  }

  leave(): void {
    this.position += 1;
    this.depth -= 1;
  }

  /** The next byte that is no white space; 0 at the end. */
  peek(): number {
    this.position = skipSpace(this.bytes, this.position);
    return this.bytes[this.position] ?? 0;
  }

  expectEnd(): void {
    this.peek();
    if (this.position < this.bytes.length) throw unexpected(this.position);
  }
}

/** Whether a sound string without its quotes is this ASCII text, however it is escaped. */
export function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < text.length) return false;
  let position = start;
  for (let index = 0; index < text.length; index += 1) {
    let byte = bytes[position];
    position += 1;
    if (byte === ascii.backslash) {
      // Of the names in use none has a character that one of the short escapes stands for.
      if (bytes[position] !== ascii.u) return false;
      byte = 0;
      for (let digit = 1; digit <= 4; digit += 1) byte = byte * 16 + hexDigit(bytes[position + digit] ?? 0);
      position += 5;
    }
    if (position > end || byte !== text.charCodeAt(index)) return false;
  }
  return position === end;
}

/** Whether a sound array has nothing but strings in it. */
export function hasOnlyStrings(array: Uint8Array): boolean {
  let position = skipSpace(array, 1);
  if (array[position] === ascii.closeArray) return true;
  for (;;) {
    if (array[position] !== ascii.quote) return false;
    position = skipSpace(array, skipString(array, position));
    if (array[position] === ascii.closeArray) return true;
    position = skipSpace(array, position + 1);
  }
}

/** The position of the next byte that is no white space. */
function skipSpace(bytes: Uint8Array, position: number): number {
  for (;;) {
    const byte = bytes[position] ?? 0;
    if (byte > ascii.space || (byte !== ascii.space && byte !== 0x0a && byte !== 0x0d && byte !== 0x09))
      return position;
    position += 1;
  }
}

/** The position after a string, number, `true`, `false` or `null`. @throws JsonError */
function skipScalar(bytes: Uint8Array, position: number): number {
  const first = bytes[position];
  if (first === ascii.quote) return skipString(bytes, position);
  if (first === ascii.t) return skipWord(bytes, position, 'true');
  if (first === ascii.f) return skipWord(bytes, position, 'false');
  if (first === ascii.n) return skipWord(bytes, position, 'null');
  return skipNumber(bytes, position);
}

function skipWord(bytes: Uint8Array, position: number, word: string): number {
  for (let index = 0; index < word.length; index += 1) {
    if (bytes[position + index] !== word.charCodeAt(index)) throw unexpected(position);
  }
  return position + word.length;
}

function skipNumber(bytes: Uint8Array, start: number): number {
  let position = bytes[start] === ascii.minus ? start + 1 : start;
  position = bytes[position] === ascii.zero ? position + 1 : skipDigits(bytes, position);
  if (bytes[position] === ascii.comma) return position;
  if (bytes[position] === ascii.dot) position = skipDigits(bytes, position + 1);
  // `e` or `E`.
  if (((bytes[position] ?? 0) | 0x20) !== ascii.e) return position;
  const sign = bytes[position + 1];
  return skipDigits(bytes, sign === ascii.plus || sign === ascii.minus ? position + 2 : position + 1);
}

function skipDigits(bytes: Uint8Array, start: number): number {
  for (let position = start; ; position += 1) {
    const digit = bytes[position] ?? 0;
    if (digit >= ascii.zero && digit <= ascii.nine) continue;
    if (position === start) throw unexpected(position);
    return position;
  }
}

/** @param start of its first quote. @returns the position after its last one. */
function skipString(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  for (let position = start + 1; position < length; position += 1) {
    const byte = bytes[position] ?? 0;
    if (byte === ascii.quote) return position + 1;
    if (byte < ascii.space) throw new JsonError('a string has a control character in it');
    if (byte === ascii.backslash) position = skipEscape(bytes, position + 1);
  }
  throw new JsonError('the document ends in a string');
}

/** @param position of the letter after the backslash. @returns that of the last character. */
function skipEscape(bytes: Uint8Array, position: number): number {
  const letter = bytes[position] ?? 0;
  if (!escapes.has(letter)) throw new JsonError('a string has an unknown escape in it');
  if (letter !== ascii.u) return position;
  for (let digit = position + 1; digit <= position + 4; digit += 1) {
    if (hexDigit(bytes[digit] ?? 0) === -1) throw new JsonError('a string has an unknown escape in it');
  }
  return position + 4;
}

const escapes = new Set(Buffer.from('"\\/bfnrtu'));

/** -1 for what is none. */
function hexDigit(byte: number): number {
  if (byte >= ascii.zero && byte <= ascii.nine) return byte - ascii.zero;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function unexpected(position: number): JsonError {
  return new JsonError(`the document is not JSON at byte ${position}`);
}
