import type { Readable } from 'node:stream';
import { UpstreamError } from '../upstream-error.js';

/** Milliseconds for the whole of a small body. */
const wholeDeadline = 30_000;
/** A body up to this size is read to its end for the sake of its connection; a larger one ends the connection. */
const drainLimit = 64 * 1024;

/** Bytes of a body that others are let through before: whoever reads it works on it for milliseconds at once. */
const turnSize = 256 * 1024;
let lastTurn: Promise<void> = Promise.resolve();

/** One large body in each round of the event loop, however many have arrived in one. */
function turn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
  return lastTurn;
}

/**
 * Reads a small body into memory.
 * @throws UpstreamError `wrong` beyond `limit` bytes, `timeout` after 30 s, `unavailable` when it is cut.
 */
export async function readBody(body: Readable, limit: number, host: string): Promise<Buffer> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    body.destroy();
  }, wholeDeadline);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new UpstreamError('wrong', `the answer of ${host} has more than ${limit} bytes`);
      chunks.push(chunk);
    }
    if (size > turnSize) await turn();
    if (late.signal.aborted) throw new UpstreamError('timeout', `the answer of ${host} took too long`);
    return Buffer.concat(chunks, size);
  } catch (error) {
    if (late.signal.aborted) throw new UpstreamError('timeout', `the answer of ${host} took too long`);
    if (error instanceof UpstreamError) throw error;
    throw new UpstreamError('unavailable', `the answer of ${host} was cut`);
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** Lets go of a body nobody wants, keeping the connection when that is cheap. */
export function discardBody(body: Readable, contentLength: string | undefined): void {
  const size = Number(contentLength ?? Number.NaN);
  if (!(size <= drainLimit)) {
    body.destroy();
    return;
  }
  const timer = setTimeout(() => body.destroy(), 1_000);
  body.once('close', () => clearTimeout(timer));
  body.resume();
}
