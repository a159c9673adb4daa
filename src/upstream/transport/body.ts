import type { Readable } from 'node:stream';
import type { BodyMemory, Hold } from '../../config/memory/body.memory.js';
import { LocalLimitError, UpstreamError } from '../upstream-error.js';
import { lengthOf } from './blob.body.js';
import type { Exchange } from './transport.js';

/** Milliseconds to read a small body completely. */
const wholeDeadline = 30_000;
/** Unwanted bodies of up to this many bytes are read to keep the connection; larger ones close it. */
const drainLimit = 64 * 1024;
/** Seconds after which there may be room again. */
const retryAfter = 5;

/** Bodies of more than this many bytes are processed one after another, because each takes tens of milliseconds. */
const turnSize = 256 * 1024;
/** Milliseconds between two of them: enough to accept a connection, read its request and respond. */
const turnPause = 3;
let lastTurn: Promise<void> = Promise.resolve();

/** Resolves in an event loop iteration of its own, in which no other large body is processed. */
export function turn(): Promise<void> {
  const mine = lastTurn.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
  lastTurn = mine.then(() => new Promise((resolve) => setTimeout(resolve, turnPause)));
  return mine;
}

/**
 * Reads a small body into memory.
 * @param admit called with each chunk and the bytes so far; what it throws ends the reading.
 * @throws UpstreamError `wrong` beyond `limit` bytes, `timeout` after 30 s, `unavailable` when the connection breaks.
 */
export async function readBody(
  body: Readable,
  limit: number,
  host: string,
  admit?: (chunk: Buffer, size: number) => Promise<void> | undefined,
): Promise<Buffer> {
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
      await admit?.(chunk, size);
      chunks.push(chunk);
    }
    if (size > turnSize) await turn();
    if (late.signal.aborted)
      throw new UpstreamError('timeout', `the response of ${host} took too long`, undefined, { host });
    return Buffer.concat(chunks, size);
  } catch (error) {
    if (late.signal.aborted)
      throw new UpstreamError('timeout', `the response of ${host} took too long`, undefined, { host });
    if (error instanceof UpstreamError) throw error;
    throw new UpstreamError('unavailable', `the response of ${host} was truncated`, undefined, { host });
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** A body in memory, and the room that it has there. Whoever has it hands the hold over or releases it. */
export interface HeldBody {
  readonly content: Buffer;
  readonly hold: Hold;
}

/**
 * Reads a small body into memory when there is room for it: what the upstream declared, or else the limit as soon as it
 * is more than 64 KiB.
 * @param owner the upstream, which shares the room with others.
 * @throws UpstreamError as `readBody`; `unavailable` when there was no room in time, `timeout` when others needed it.
 */
export async function receiveBody(
  { body, headers, host }: Exchange,
  limit: number,
  memory: BodyMemory,
  owner: string,
): Promise<HeldBody> {
  let isCut = false;
  const take = async (bytes: number): Promise<Hold> => {
    const hold = await memory.take(owner, bytes, () => {
      isCut = true;
      body.destroy();
    });
    if (hold) return hold;
    throw new LocalLimitError(`there is no room for the response of ${host}`, retryAfter);
  };
  const explain = (error: unknown) =>
    isCut ? new UpstreamError('timeout', `${host} sends too slowly while others wait`, undefined, { host }) : error;
  const declared = lengthOf(headers);
  let room = Math.min(declared ?? drainLimit, limit);
  let hold: Hold | undefined;
  try {
    hold = await take(room);
    const content = await readBody(body, limit, host, async (chunk, size) => {
      if (size > room) {
        const larger = await take(limit);
        hold?.release();
        [hold, room] = [larger, limit];
      }
      hold?.progress(chunk.length);
    });
    hold.complete();
    memory.bind(hold, content);
    return { content, hold };
  } catch (error) {
    hold?.release();
    body.destroy();
    throw explain(error);
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
