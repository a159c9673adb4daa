import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { parseContentRange } from '../../oci/byte-range.js';
import type { Exchange } from './transport.js';
import type { UpstreamCounts } from '../health/upstream.counts.js';
import { UpstreamError } from '../upstream-error.js';

/** A blob on its way. Whoever has it reads or destroys `body`. */
export interface BlobBody {
  /** Offset of the first byte of `body`: what was asked for, or 0 when the upstream ignored that. */
  readonly offset: number;
  /** Size of the whole blob in bytes, when the upstream said it. */
  readonly size: number | undefined;
  /** The upstream's, to resume by; undefined when it has none that could be used for that. */
  readonly entityTag: string | undefined;
  readonly body: IncomingMessage;
  readonly host: string;
  /** Where whoever reads `body` adds what it has read. */
  readonly counts: Pick<UpstreamCounts, 'received'>;
}

/**
 * The blob that an answer carries; undefined when its status is another, and it is then the caller's to let go of.
 * @param from the offset that was asked for.
 * @throws UpstreamError `wrong` for another range than that; its body has been destroyed.
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
  throw new UpstreamError('wrong', `${host} sent another range than it was asked for`);
}

/** Content-Length in bytes, when there is a credible one. */
export function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
