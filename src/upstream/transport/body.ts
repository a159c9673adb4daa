import type { Readable } from 'node:stream';
import { UpstreamError } from '../upstream-error.js';

/** Milliseconds to read a small body completely. */
const wholeDeadline = 30_000;
/** Unwanted bodies of up to this many bytes are read to keep the connection; larger ones close it. */
const drainLimit = 64 * 1024;

/** Bodies of more than this many bytes are processed one per event loop iteration, because each takes milliseconds. */
const turnSize = 256 * 1024;
let lastTurn: Promise<void> = Promise.resolve();

/** Resolves in an event loop iteration of its own. */
function turn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
  return lastTurn;
}

/**
 * Reads a small body into memory.
 * @throws UpstreamError `wrong` beyond `limit` bytes, `timeout` after 30 s, `unavailable` when the connection breaks.
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
      if (size > limit) throw new UpstreamError('wrong', `the response of ${host} exceeds ${limit} bytes`);
      chunks.push(chunk);
    }
    if (size > turnSize) await turn();
    if (late.signal.aborted) throw new UpstreamError('timeout', `the response of ${host} took too long`);
    return Buffer.concat(chunks, size);
  } catch (error) {
    if (late.signal.aborted) throw new UpstreamError('timeout', `the response of ${host} took too long`);
    if (error instanceof UpstreamError) throw error;
    throw new UpstreamError('unavailable', `the response of ${host} was truncated`);
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** Disposes of an unwanted body, keeping the connection when that is cheap. */
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
