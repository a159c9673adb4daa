import { setTimeout as sleep } from 'node:timers/promises';

const firstChunk = 16 * 1024;
const tick = 5;

/** Yields the first bytes at once and the others at an even rate. */
export async function* paced(bytes: Buffer, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const start = performance.now();
  let sent = 0;
  while (sent < bytes.length) {
    const due = Math.max(firstChunk, Math.floor(((performance.now() - start) / 1000) * bytesPerSecond));
    if (due > sent) yield bytes.subarray(sent, due);
    sent = Math.max(sent, due);
    await sleep(tick);
  }
}
