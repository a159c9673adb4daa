import type { IncomingMessage } from 'node:http';
import { takeDirectly, type ChunkTaker } from '../../../config/receiving/direct-body.js';
import type { Digest } from '../../../oci/digest.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';

/** Milliseconds without a byte after which a body counts as cut off. */
const progressDeadline = 20_000;

/**
 * Passes each chunk of a body to `take` until the body ends.
 * @returns undefined if the body is complete, an error if it was cut off or stalled.
 * @throws what `take` throws.
 */
export async function receive(
  body: IncomingMessage,
  host: string,
  take: ChunkTaker,
): Promise<UpstreamError | undefined> {
  const stalled = new AbortController();
  let isTaking = false;
  const watchdog = setTimeout(() => {
    // Time spent writing or waiting for a slow reader is not the upstream's fault.
    if (isTaking) return void watchdog.refresh();
    stalled.abort();
    body.destroy();
  }, progressDeadline);
  const watched: ChunkTaker = (chunk) => {
    watchdog.refresh();
    const taking = take(chunk);
    if (!taking) return undefined;
    isTaking = true;
    return taking.finally(() => {
      isTaking = false;
      watchdog.refresh();
    });
  };
  try {
    const isComplete = await (takeDirectly(body, watched) ?? takeFromStream(body, watched));
    if (stalled.signal.aborted) return new UpstreamError('timeout', `${host} stopped sending`);
    return isComplete ? undefined : new UpstreamError('unavailable', `${host} cut the download`);
  } finally {
    clearTimeout(watchdog);
    body.destroy();
  }
}

/** For bodies of unknown length, and connections through a TLS proxy. @returns whether the body is complete. */
async function takeFromStream(body: IncomingMessage, take: ChunkTaker): Promise<boolean> {
  const chunks = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch(() => undefined);
    if (next === undefined) return false;
    if (next.done === true) return body.complete;
    await take(next.value);
  }
}

/**
 * Skips the bytes that have been received when an upstream ignores a range request (RFC 9110 §14.2).
 * @param hashOf tells the hash of the bytes that have been received.
 * @returns whether they are the same bytes; the body is then at the first new byte.
 */
export async function skipSamePrefix(
  { body, host, offset, counts }: BlobBody,
  length: number,
  digest: Digest,
  hashOf: () => Promise<string>,
): Promise<boolean> {
  if (offset !== 0) return false;
  const prefix = digest.hasher();
  let left = length;
  const cut = await new Promise<UpstreamError | undefined>((resolve) => {
    const watchdog = setTimeout(
      () => finish(new UpstreamError('timeout', `${host} stopped sending`)),
      progressDeadline,
    );
    const finish = (error?: UpstreamError) => {
      clearTimeout(watchdog);
      body.off('readable', read);
      body.off('close', closed);
      resolve(error);
    };
    const closed = () => finish(new UpstreamError('unavailable', `${host} cut the download`));
    const read = () => {
      for (;;) {
        const chunk = body.read() as Buffer | null;
        if (chunk === null) return;
        watchdog.refresh();
        const used = Math.min(left, chunk.length);
        prefix.update(chunk.subarray(0, used));
        left -= used;
        counts.received += used;
        if (left > 0) continue;
        // Put back the bytes that belong to the rest.
        if (used < chunk.length) body.unshift(chunk.subarray(used));
        finish();
        return;
      }
    };
    body.on('readable', read);
    body.once('close', closed);
    read();
  });
  return cut === undefined && prefix.digest('hex') === (await hashOf());
}
