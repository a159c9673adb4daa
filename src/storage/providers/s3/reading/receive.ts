import type { Readable } from 'node:stream';
import { StalledError } from '../watchdog.js';

/**
 * Passes each chunk of a body to `consume` until the body ends or `consume` returns false.
 * @param idleTimeout milliseconds without a byte, excluding the time spent in `consume`.
 * @returns the error that interrupted the body; undefined when it ended normally.
 * @throws errors of `consume`, and the reason of an aborted signal.
 */
export async function receive(
  body: Readable,
  idleTimeout: number,
  signal: AbortSignal | undefined,
  consume: (chunk: Buffer) => Promise<boolean>,
): Promise<Error | undefined> {
  let cut: Error | undefined;
  let isConsuming = false;
  const stopped = new Error('the body was cut');
  const watchdog = setTimeout(() => {
    if (isConsuming) return void watchdog.refresh();
    cut = new StalledError();
    body.destroy();
  }, idleTimeout);
  const leave = () => void body.destroy();
  signal?.addEventListener('abort', leave, { once: true });
  const chunks = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => (error instanceof Error ? error : stopped));
      signal?.throwIfAborted();
      if (next instanceof Error) return cut ?? next;
      if (next.done === true) return cut ?? (body.readableEnded ? undefined : stopped);
      isConsuming = true;
      if (!(await consume(next.value))) return undefined;
      isConsuming = false;
      watchdog.refresh();
    }
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener('abort', leave);
    // A body read to its end returns its connection to the pool by itself.
    if (!body.readableEnded) body.destroy();
  }
}
