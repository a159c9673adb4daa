import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { parseContentRange, parseRange, type ByteRange } from '../../oci/byte-range.js';
import type { Exchange } from './transport.js';
import type { UpstreamCounts } from '../health/upstream.counts.js';
import { UpstreamError } from '../upstream-error.js';

/** A blob response. The caller reads or destroys `body`. */
export interface BlobBody {
  /** Offset of the first byte of `body`: as requested, or 0 when the upstream ignored the range. */
  readonly offset: number;
  /** Size of the whole blob in bytes, when known. */
  readonly size: number | undefined;
  /** Entity tag for resuming; undefined when there is no strong one. */
  readonly entityTag: string | undefined;
  readonly body: IncomingMessage;
  readonly host: string;
  /** The reader of `body` adds the bytes that it has read. */
  readonly counts: Pick<UpstreamCounts, 'received'>;
}

/**
 * The blob in a response; undefined for other statuses, and the caller then disposes of the response.
 * @param from the requested offset.
 * @throws UpstreamError `wrong` for a different range; the body has then been destroyed.
 */
export function findBlobBody(
  { status, headers, body, host }: Exchange,
  from: number | undefined,
): Omit<BlobBody, 'entityTag' | 'counts'> | undefined {
  if (status === 200) return { offset: 0, size: lengthOf(headers), body, host };
  if (status !== 206 || from === undefined) return undefined;
  const range = parseContentRange(headers['content-range']);
  if (range?.first === from) return { offset: from, size: range.size, body, host };
  body.destroy();
  throw new UpstreamError('wrong', `${host} sent a different range than requested`);
}

/** One range of a blob. The caller reads or destroys `body`. */
export interface RangeBody extends Pick<BlobBody, 'entityTag' | 'body' | 'host' | 'counts'> {
  readonly part: ByteRange;
  /** Size of the whole blob in bytes. */
  readonly size: number;
}

/** The range in a response; undefined when it is not exactly the requested one, of a blob of stated size. */
export function findRange(
  { status, headers }: Exchange,
  requested: string,
): Pick<RangeBody, 'part' | 'size'> | undefined {
  const range = status === 206 ? parseContentRange(headers['content-range']) : undefined;
  if (range?.size === undefined) return undefined;
  const { first, last, size } = range;
  const part = parseRange(requested, size);
  const length = last - first + 1;
  if (typeof part === 'string' || part.offset !== first || part.length !== length) return undefined;
  return (lengthOf(headers) ?? length) === length ? { part, size } : undefined;
}

/** Content-Length in bytes, when present and valid. */
export function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

/** The Content-Length of a HEAD, in bytes. Registries that do not know it send none or 0, so 0 is unknown, too. */
export function hintedLength(headers: IncomingHttpHeaders): number | undefined {
  const length = lengthOf(headers);
  return length === 0 ? undefined : length;
}
