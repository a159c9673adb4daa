import { ascii, isText, JsonError, maxJsonDepth } from './json.cursor.js';
import { JsonNumber } from './json.number.js';

/** Longest name of a field that is compared, in bytes as written: longer ones are not the wanted one. */
const longestName = 128;

/** What comes next, or of what the next byte is a part. */
type State =
  | 'value'
  | 'first-item'
  | 'first-key'
  | 'key'
  | 'colon'
  | 'after-value'
  | 'end'
  | 'text'
  | 'escape'
  | 'hex'
  | 'word'
  | 'number';

/**
 * Checks one document (RFC 8259) as it arrives, with memory that does not depend on its size, and finds the array that is a
 * field of it. It accepts what `readJson` accepts.
 */
export class JsonStream {
  private state: State = 'value';
  /** Kinds of the open containers, 1 for objects, by level. */
  private readonly open = new Uint8Array(maxJsonDepth + 1);
  private depth = 0;
  private isKey = false;
  /** Digits of an escape, or letters of a word, that are still to come. */
  private hexLeft = 0;
  private word = '';
  private readonly number = new JsonNumber();
  /** The name of the current field of the outer object as far as it has arrived. */
  private readonly name = new Uint8Array(longestName);
  private nameLength = 0;
  private isWanted = false;
  /** Whether the current bytes are those of the field. */
  private isInside = false;
  private found: 'array' | 'null' | undefined;

  /** @param areTexts whether the array must have nothing but strings. */
  constructor(
    private readonly field: string,
    private readonly areTexts: boolean,
  ) {}

  /** What the field is; undefined while it has not come. */
  get value(): 'array' | 'null' | undefined {
    return this.found;
  }

  /** @returns the part of the array that is in this chunk. @throws JsonError, also when the field is neither an array nor null */
  push(chunk: Uint8Array): Uint8Array {
    let start = this.isInside ? 0 : chunk.length;
    let end = chunk.length;
    for (let position = 0; position < chunk.length; position += 1) {
      const wasInside = this.isInside;
      if (this.state === 'text') position = this.skipText(chunk, position);
      else this.take(chunk[position] ?? 0);
      if (position >= chunk.length || wasInside === this.isInside) continue;
      if (this.isInside) start = position;
      else end = position + 1;
    }
    return chunk.subarray(start, Math.max(start, end));
  }

  /** @throws JsonError when the document has not ended, or the field has not come */
  end(): void {
    if (this.state !== 'end') throw new JsonError('the document is incomplete');
    if (this.found === undefined) throw new JsonError(`the document has no field ${this.field}`);
  }

  /** Goes through a string as far as it has arrived. @returns the position of its last byte here */
  private skipText(chunk: Uint8Array, start: number): number {
    const { isKey } = this;
    const { length } = chunk;
    for (let position = start; position < length; position += 1) {
      const byte = chunk[position] ?? 0;
      // Most bytes of most texts.
      if (byte > ascii.backslash && !isKey) continue;
      if (byte === ascii.quote) {
        this.endText();
        return position;
      }
      if (byte < ascii.space) throw new JsonError('a string has a control character in it');
      if (isKey) this.note(byte);
      if (byte === ascii.backslash) {
        this.state = 'escape';
        return position;
      }
    }
    return chunk.length;
  }

  private endText(): void {
    if (!this.isKey) {
      this.endValue();
      return;
    }
    this.state = 'colon';
    this.isKey = false;
    if (this.depth !== 1 || this.nameLength > longestName) return;
    this.isWanted = isText(this.field, this.name, 0, this.nameLength);
    if (this.isWanted && this.found !== undefined)
      throw new JsonError(`the document has the field ${this.field} twice`);
  }

  private note(byte: number): void {
    if (this.nameLength < longestName) this.name[this.nameLength] = byte;
    if (this.nameLength <= longestName) this.nameLength += 1;
  }

  private take(byte: number): void {
    const { state } = this;
    if (state === 'number' && this.number.take(byte)) return;
    if (state === 'number') this.endNumber();
    if (state === 'escape' || state === 'hex') this.takeEscape(byte);
    else if (state === 'word') this.takeLetter(byte);
    else if (byte !== ascii.space && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) this.takeToken(byte);
  }

  private takeToken(byte: number): void {
    const { state } = this;
    const isFirst = state === 'first-item' || state === 'first-key';
    if (isFirst && byte === (state === 'first-item' ? ascii.closeArray : ascii.closeObject)) this.leave(byte);
    else if (state === 'value' || state === 'first-item') this.startValue(byte);
    else if (state === 'key' || state === 'first-key') this.startKey(byte);
    else if (state === 'after-value' && byte !== ascii.comma) this.leave(byte);
    else if (state === 'after-value') this.state = this.open[this.depth] === 1 ? 'key' : 'value';
    else if (state === 'colon' && byte === ascii.colon) this.state = 'value';
    else throw unexpected();
  }

  private startKey(byte: number): void {
    if (byte !== ascii.quote) throw unexpected();
    this.isKey = true;
    this.nameLength = 0;
    this.state = 'text';
  }

  private startValue(byte: number): void {
    if (this.isWanted && this.depth === 1) this.startField(byte);
    else if (this.isInside && this.depth === 2 && this.areTexts && byte !== ascii.quote)
      throw new JsonError(`the field ${this.field} has something else than strings in it`);
    if (byte === ascii.openObject || byte === ascii.openArray) this.enter(byte === ascii.openObject);
    else if (byte === ascii.quote) this.state = 'text';
    else if (this.number.begin(byte)) this.state = 'number';
    else this.startWord(byte);
  }

  private startField(byte: number): void {
    if (byte === ascii.n) this.found = 'null';
    else if (byte === ascii.openArray) this.found = 'array';
    else throw new JsonError(`the field ${this.field} is not an array`);
    this.isInside = this.found === 'array';
  }

  private startWord(byte: number): void {
    if (byte === ascii.t) this.word = 'rue';
    else if (byte === ascii.f) this.word = 'alse';
    else if (byte === ascii.n) this.word = 'ull';
    else throw unexpected();
    this.state = 'word';
  }

  private takeLetter(byte: number): void {
    if (byte !== this.word.charCodeAt(0)) throw unexpected();
    this.word = this.word.slice(1);
    if (this.word === '') this.endValue();
  }

  private takeEscape(byte: number): void {
    if (this.isKey) this.note(byte);
    if (this.state === 'escape') {
      if (!escapes.has(byte)) throw new JsonError('a string has an unknown escape in it');
      this.state = byte === ascii.u ? 'hex' : 'text';
      this.hexLeft = 4;
      return;
    }
    if (!/[0-9a-fA-F]/.test(String.fromCharCode(byte))) throw new JsonError('a string has an unknown escape in it');
    this.hexLeft -= 1;
    if (this.hexLeft === 0) this.state = 'text';
  }

  private endNumber(): void {
    if (!this.number.isComplete) throw unexpected();
    this.endValue();
  }

  private enter(isObject: boolean): void {
    this.depth += 1;
    if (this.depth > maxJsonDepth) throw new JsonError(`the document has more than ${maxJsonDepth} levels`);
    this.open[this.depth] = isObject ? 1 : 0;
    this.state = isObject ? 'first-key' : 'first-item';
  }

  private leave(byte: number): void {
    if (byte !== (this.open[this.depth] === 1 ? ascii.closeObject : ascii.closeArray)) throw unexpected();
    this.depth -= 1;
    this.endValue();
  }

  private endValue(): void {
    if (this.depth === 1) this.isInside = this.isWanted = false;
    this.state = this.depth === 0 ? 'end' : 'after-value';
  }
}

const escapes = new Set(Buffer.from('"\\/bfnrtu'));
function unexpected(): JsonError {
  return new JsonError('the document is not JSON');
}
