import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readSocketTable } from '../../../src/distribution/server/socket.table.js';
import { makeBlob } from '../../fixtures/images.js';
import { Stage } from '../support/stage.js';

const mebibyte = 1024 * 1024;
const count = 200;

/** Bytes that the kernel has for the clients of a port. */
async function unsentFrom(url: string): Promise<number> {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const table = (await readSocketTable()) ?? new Map<string, number>();
  const own = [...table].filter(([key]) => key.split(' ')[0]?.endsWith(`:${port}`));
  return own.reduce((sum, [, bytes]) => sum + bytes, 0);
}

describe.skipIf(process.platform !== 'linux')('clients who read slowly', { timeout: 120_000 }, () => {
  it('share what the kernel may have for all of them, and a fast client beside them is served', async () => {
    const blob = makeBlob(8 * mebibyte, 'slow');
    await using stage = await Stage.start();
    stage.registry.addBlob('team/app', blob);
    const path = `team/app/blobs/${blob.digest}`;
    await stage.get(path);
    await stage.mirror.settled();
    const open = async (): Promise<IncomingMessage> => {
      const [response] = (await once(get(stage.urlOf(path), { agent: false }), 'response')) as [IncomingMessage];
      return response;
    };
    const slow = await Promise.all(Array.from({ length: count }, open));
    await sleep(1_000);
    // They have up to 4 MiB each until there are too many; without a limit all of them would have 2.6 to 3.9 MiB.
    expect(await unsentFrom(stage.mirror.url)).toBeLessThan(2 * count * mebibyte);
    const begin = performance.now();
    const fast = await stage.get(path);
    expect(blob.body.equals(fast.body)).toBe(true);
    expect(performance.now() - begin).toBeLessThan(10_000);
    const bodies = await Promise.all(slow.slice(0, 5).map(async (response) => Buffer.concat(await response.toArray())));
    expect(bodies.every((body) => blob.body.equals(body))).toBe(true);
    for (const response of slow) response.destroy();
  });
});
