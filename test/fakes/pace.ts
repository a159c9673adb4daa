import { setTimeout as sleep } from 'node:timers/promises';

const slice = 64 * 1024;

/** Milliseconds between two slices of a slowed body. */
const tick = 20;

/**
 * Cuts a body into slices, `bytesPerSecond` of them a second; without a rate as fast as the reader takes them.
 * Ends with an AbortError when the signal fires during a pause.
 */
export async function* pace(body: Buffer, bytesPerSecond?: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const size = bytesPerSecond === undefined ? slice : Math.max(1, Math.floor((bytesPerSecond * tick) / 1000));
  const began = performance.now();
  for (let offset = 0; offset < body.length; offset += size) {
    if (bytesPerSecond !== undefined && offset > 0) {
      const due = began + (offset * 1000) / bytesPerSecond;
      await sleep(Math.max(0, due - performance.now()), undefined, signal ? { signal } : {});
    }
    yield body.subarray(offset, offset + size);
  }
}
