import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ScrubService } from '../../src/registry/eviction/scrub.service.js';
import { makeBlob, makeImage, type FixtureBlob } from '../fixtures/images.js';
import { blobPath, hexOf, Stock } from './support/stock.js';

const mebibyte = 1024 * 1024;
const image = makeImage({ seed: 'scrubbed', layers: [100, 300_000] });
const parts = [image.manifest, image.config, ...image.layers];
const fast = { scrubRate: 2 ** 40 };

const scrub = (stock: Stock) => stock.stage.mirror.app.get(ScrubService);

async function damage(stock: Stock, { digest, body }: FixtureBlob, how: 'flip' | 'cut' | 'empty'): Promise<void> {
  const path = join(stock.root, `blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`);
  if (how !== 'flip') return truncate(path, how === 'cut' ? body.length - 1 : 0);
  const content = await readFile(path);
  content[content.length >> 1]! ^= 1;
  await writeFile(path, content);
}

describe('a scrub', () => {
  it('finds nothing in a sound storage, and reads all of it', async () => {
    await using stock = await Stock.make({ server: fast });
    await stock.pull('app', image);
    const bytes = parts.reduce((sum, { body }) => sum + body.length, 0);
    expect(await scrub(stock).run()).toMatchObject({ seen: parts.length, bytes, damaged: 0, failed: 0 });
    expect(scrub(stock).status).toMatchObject({ running: false, last: { seen: parts.length } });
  });

  it.each(['flip', 'cut', 'empty'] as const)(
    'sets damaged content aside, and the next pull is right: %s',
    async (how) => {
      await using stock = await Stock.make({ server: fast });
      await stock.pull('app', image);
      for (const part of parts) await damage(stock, part, how);
      expect(await scrub(stock).run()).toMatchObject({ seen: parts.length, damaged: parts.length });
      expect(await stock.files('damaged/blobs')).toHaveLength(parts.length);
      for (const [index, part] of parts.entries()) {
        const path = index === 0 ? `manifests/${part.digest}` : blobPath(part);
        // Manifests and small blobs may be in memory, and are right there.
        const reply = await stock.stage.get(`app/${path}`);
        expect([reply.status, reply.body.equals(part.body)]).toEqual([200, true]);
      }
      await stock.settled();
      expect(await stock.has(image.layers[1]!)).toBe(true);
      expect(stock.stage.mirror.log.match(/is damaged and will be fetched again/g)).toHaveLength(parts.length);
    },
  );

  it('reads no faster than it may', async () => {
    await using stock = await Stock.make({ server: { scrubRate: 4 * mebibyte } });
    await stock.pullBlob('app', makeBlob(2 * mebibyte, 'slow'));
    const from = performance.now();
    await scrub(stock).run();
    expect(performance.now() - from).toBeGreaterThan(450);
  });

  it('ends with the process, however slow it is', async () => {
    await using stock = await Stock.make({ server: { scrubRate: 1024 } });
    await stock.pullBlob('app', makeBlob(mebibyte, 'long'));
    const running = scrub(stock).run();
    expect(scrub(stock).run()).toBe(running);
    const failed = expect(running).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await scrub(stock).onApplicationShutdown();
    await failed;
    expect(scrub(stock).status.running).toBe(false);
  });
});

describe('damage that a request meets', () => {
  it.each(['flip', 'cut', 'empty'] as const)(
    'fails none with --check-cache-digest, and is kept for a person to look at: %s',
    async (how) => {
      await using stock = await Stock.make({ server: { checkCacheDigest: true, memoryCache: 0 } });
      await stock.pull('app', image);
      for (const part of parts) await damage(stock, part, how);
      const checked = Reflect.get(stock.stored, 'checked') as Map<string, true>;
      checked.clear();
      for (const [index, part] of parts.entries()) {
        const path = index === 0 ? `manifests/${part.digest}` : blobPath(part);
        const replies = await Promise.all([1, 2, 3].map(() => stock.stage.get(`app/${path}`)));
        for (const { status, body } of replies) expect([status, body.equals(part.body)]).toEqual([200, true]);
      }
      await stock.settled();
      expect(await stock.files('damaged/blobs')).toHaveLength(parts.length);
    },
  );
});
