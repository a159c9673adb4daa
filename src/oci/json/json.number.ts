import { ascii } from './json.cursor.js';

type Place = 'minus' | 'zero' | 'whole' | 'dot' | 'fraction' | 'exponent' | 'sign' | 'power';

const ends: ReadonlySet<Place> = new Set(['zero', 'whole', 'fraction', 'power']);

/** A number that arrives byte by byte (RFC 8259 §6). */
export class JsonNumber {
  private place: Place = 'minus';

  /** @returns whether a number can begin with this byte; then one has begun. */
  begin(byte: number): boolean {
    const place = byte === ascii.minus ? 'minus' : wholeOf(byte);
    if (place === undefined) return false;
    this.place = place;
    return true;
  }

  /** @returns whether the byte belongs to it. */
  take(byte: number): boolean {
    const next = after(this.place, byte);
    if (next !== undefined) this.place = next;
    return next !== undefined;
  }

  /** Whether it may end here. */
  get isComplete(): boolean {
    return ends.has(this.place);
  }
}

function after(place: Place, byte: number): Place | undefined {
  if (place === 'minus') return wholeOf(byte);
  if (isDigit(byte)) return afterDigit(place);
  if ((place === 'zero' || place === 'whole') && byte === ascii.dot) return 'dot';
  // `e` or `E`.
  if ((byte | 0x20) === ascii.e)
    return place === 'zero' || place === 'whole' || place === 'fraction' ? 'exponent' : undefined;
  return place === 'exponent' && (byte === ascii.plus || byte === ascii.minus) ? 'sign' : undefined;
}

function afterDigit(place: Place): Place | undefined {
  if (place === 'zero') return undefined;
  if (place === 'dot') return 'fraction';
  return place === 'exponent' || place === 'sign' ? 'power' : place;
}

function wholeOf(byte: number): Place | undefined {
  if (byte === ascii.zero) return 'zero';
  return isDigit(byte) ? 'whole' : undefined;
}

function isDigit(byte: number): boolean {
  return byte >= ascii.zero && byte <= ascii.nine;
}
