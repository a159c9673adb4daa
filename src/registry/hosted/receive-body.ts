import { OciError } from '../../oci/error.js';
import type { ChunkRange, PushBody, TakeChunk } from '../push.js';

/** What a body must not exceed. */
export interface BodyLimits {
  /** Of Content-Range, which the body must fill. */
  readonly range?: ChunkRange | undefined;
  /** Bytes that the blob has before the body. */
  readonly before: number;
  /** Bytes that the blob may have in all. */
  readonly most?: number | undefined;
}

/**
 * Passes a body on, chunk by chunk.
 * @param signal ends the waiting for the next chunk.
 * @throws OciError SIZE_INVALID for a body that is larger than it may be, or of another length than its range; the
 * signal's reason; errors of the body and of `take` unchanged. What was taken before stays taken.
 */
export async function receiveBody(
  body: PushBody,
  { range, before, most = Infinity }: BodyLimits,
  take: TakeChunk,
  signal: AbortSignal,
): Promise<number> {
  const expected = range && range.end - range.start + 1;
  assertLength(body.length, expected, before, most);
  let received = 0;
  const takeExpected: TakeChunk = (chunk) => {
    received += chunk.length;
    assertLength(undefined, expected, before + received, most);
    if (received > (expected ?? Infinity)) throw wrongLength(expected);
    return take(chunk);
  };
  await (body.pass ? body.pass(takeExpected, signal) : passChunks(body, takeExpected, signal));
  if (expected !== undefined && received !== expected) throw wrongLength(expected);
  return received;
}

async function passChunks(body: PushBody, take: TakeChunk, signal: AbortSignal): Promise<void> {
  const chunks = body.chunks()[Symbol.asyncIterator]();
  const waiting = new AbortableWait(signal);
  try {
    for (;;) {
      const next = await waiting.for(chunks.next());
      if (next.done === true) break;
      await take(next.value);
    }
  } finally {
    waiting.end();
    // Waiting for it could wait for a client that is gone.
    chunks.return?.().catch(() => undefined);
  }
}

function assertLength(length: number | undefined, expected: number | undefined, before: number, most: number): void {
  if (expected !== undefined && length !== undefined && length !== expected) throw wrongLength(expected);
  const least = before + (length ?? 0);
  if (least > most) throw new OciError('SIZE_INVALID', `blobs may have at most ${most} bytes (--max-blob-size)`);
}

function wrongLength(expected: number | undefined): OciError {
  return new OciError('SIZE_INVALID', `the body does not have the ${expected ?? 0} bytes of its Content-Range`, {
    status: 400,
  });
}

/**
 * Ends waiting for one promise after another when a signal is aborted. `Promise.race` with a promise of the signal would do
 * the same, and keep every result, here the whole body, until the signal is gone.
 */
class AbortableWait {
  private reject: ((error: Error) => void) | undefined;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.abort, { once: true });
  }

  for<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.reject = reject;
      promise.then(resolve, reject);
      if (this.signal.aborted) this.abort();
    });
  }

  end(): void {
    this.signal.removeEventListener('abort', this.abort);
  }

  private readonly abort = (): void => {
    const { reason } = this.signal as { reason: unknown };
    // `OpenSessions` gives an error.
    this.reject?.(reason instanceof Error ? reason : new OciError('BLOB_UPLOAD_INVALID'));
  };
}
