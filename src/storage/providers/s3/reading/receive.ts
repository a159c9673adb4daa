import type { Readable } from 'node:stream';
import { StalledError } from '../deadline.js';

/**
 * Gives each chunk of a body to `take`, until the body ends or `take` answers that it wants no more.
 * @param patience milliseconds without a byte, the time of `take` not counted.
 * @returns what cut it short; undefined when it ended as it should.
 * @throws what `take` throws, and the reason of an aborted signal.
 */
export async function receive(
  body: Readable,
  patience: number,
  signal: AbortSignal | undefined,
  take: (chunk: Buffer) => Promise<boolean>,
): Promise<Error | undefined> {
  let cut: Error | undefined;
  let isTaking = false;
  const stopped = new Error('the body was cut');
  const watchdog = setTimeout(() => {
    if (isTaking) return void watchdog.refresh();
    cut = new StalledError();
    body.destroy();
  }, patience);
  const leave = () => void body.destroy();
  signal?.addEventListener('abort', leave, { once: true });
  const chunks = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => (error instanceof Error ? error : stopped));
      signal?.throwIfAborted();
      if (next instanceof Error) return cut ?? next;
      if (next.done === true) return cut ?? (body.readableEnded ? undefined : stopped);
      isTaking = true;
      if (!(await take(next.value))) return undefined;
      isTaking = false;
      watchdog.refresh();
    }
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener('abort', leave);
    // What was read to its end goes back to the other connections by itself.
    if (!body.readableEnded) body.destroy();
  }
}
