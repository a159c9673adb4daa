/** `length` bytes from `offset`. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export type RangeResult = ByteRange | 'whole' | 'unsatisfiable';

/**
 * Applies a Range header to content of `size` bytes (RFC 9110 §14). Multiple ranges, other units and malformed headers
 * give the whole content, which the RFC allows and every client accepts.
 */
export function parseRange(header: string | undefined, size: number): RangeResult {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return 'whole';
  if (first === '') return suffix(Number(last), size);
  const from = Number(first);
  const to = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < from) return 'whole';
  return from >= size ? 'unsatisfiable' : { offset: from, length: to - from + 1 };
}

/**
 * Whether a range certainly begins beyond so many bytes, or may: where the last bytes begin is not known without a size.
 * @param header as for `parseRange`
 */
export function mayBeginBeyond(header: string, offset: number, size: number | undefined): boolean {
  // What begins beyond every size is no range.
  const part = parseRange(header, size ?? Number.MAX_SAFE_INTEGER);
  return typeof part !== 'string' && part.offset > offset;
}

function suffix(length: number, size: number): RangeResult {
  if (length === 0 || size === 0) return 'unsatisfiable';
  return length >= size ? { offset: 0, length: size } : { offset: size - length, length };
}

/** The range of a 206 response and the size of the whole content, if known. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly size: number | undefined;
}

/** Undefined when the header is malformed or uses another unit. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header ?? '');
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const size = match[3] === '*' ? undefined : Number(match[3]);
  return first > last || (size !== undefined && last >= size) ? undefined : { first, last, size };
}
