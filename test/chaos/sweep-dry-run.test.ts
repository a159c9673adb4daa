import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { RemovalService } from '../../src/registry/eviction/removal.service.js';
import type { Removable } from '../../src/registry/eviction/sweep.place.js';
import { SpaceLedger } from '../../src/storage/space/space.ledger.js';
import { Gate } from '../e2e/support/gate.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { blobPath, day, hexOf, hour, Stock } from './support/stock.js';

const image = makeImage({ seed: 'swept dry', layers: [100, 200_000] });
const parts = [image.manifest, image.config, ...image.layers];
const other = makeImage({ seed: 'evicted dry', layers: [300] });
const otherParts = [other.manifest, other.config, ...other.layers];
const mebibyte = 1024 * 1024;

async function find(stock: Stock) {
  const found: Removable[] = [];
  const counts = await stock.sweeper.findRemovable(AbortSignal.timeout(60_000), (each) => {
    found.push(each);
    return Promise.resolve();
  });
  return { found, counts };
}

/** A stock with something of each reason to remove it. */
async function fill(): Promise<Stock> {
  const stock = await Stock.make({ upstream: { unusedContentTtl: 14 * day }, server: { maxSize: 100 * mebibyte } });
  await stock.pull('app', image);
  await stock.age(15 * day);
  await stock.pull('old', other);
  for (const part of ['test/old/', ...otherParts.map(({ digest }) => hexOf(digest))]) await stock.age(30 * hour, part);
  const orphan = makeBlob(1_000, 'orphan');
  await stock.pullBlob('one', orphan);
  await stock.age(2 * day, hexOf(orphan.digest));
  const one = RepositoryRef.of(Namespace.parse('registry.test'), 'one');
  await stock.stage.mirror.app.get(RemovalService).removeBlob(one, Digest.parse(orphan.digest));
  for (let index = 0; index < 8; index += 1) {
    const blob = makeBlob(mebibyte, `dry ${index}`);
    await stock.pullBlob('two', blob);
    await stock.age((20 - index) * hour, hexOf(blob.digest));
  }
  await stock.plant('damaged/blobs/sha256/aa/old');
  await stock.age(8 * day, 'damaged/blobs/sha256/aa/old');
  stock.forgetUses();
  stock.allow(6 * mebibyte);
  return stock;
}

describe('a dry run of a sweep', () => {
  it('changes nothing, and lists what a sweep then removes', async () => {
    await using stock = await fill();
    const before = await stock.files();
    const ages = await stock.usedAt('');
    const { bytes, objects, isMeasured } = stock.stage.mirror.app.get(SpaceLedger);
    const { status } = stock.sweeper;
    const { found, counts } = await find(stock);
    expect([await stock.files(), await stock.usedAt('')]).toEqual([before, ages]);
    expect(stock.stage.mirror.app.get(SpaceLedger)).toMatchObject({ bytes, objects, isMeasured });
    expect(stock.sweeper.status).toEqual(status);
    // A second one finds the same.
    expect(await find(stock)).toEqual({ found, counts });

    const swept = await stock.sweeper.run();
    const left = new Set(await stock.files());
    const removed = before.filter((file) => !left.has(file));
    const listed = found.map(({ key }) => key);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed.filter((key) => !removed.includes(key))).toEqual([]);
    // The rest goes together with the content that is listed.
    const contents = found.filter(({ kind }) => kind === 'content').map(({ digest }) => hexOf(digest!));
    const rest = removed.filter((file) => !listed.includes(file));
    expect(rest.filter((file) => !contents.some((hex) => file.includes(hex)))).toEqual([]);
    expect(rest.filter((file) => file.startsWith('blobs/'))).toEqual([]);
    const of = (reason: string) => found.filter((each) => each.reason === reason);
    expect(of('expired').map(({ kind, repository }) => `${kind} ${repository}`)).toEqual(
      Array.from({ length: parts.length + 1 }, () => 'record registry.test/app'),
    );
    expect(of('orphaned')).toHaveLength(parts.length + 1);
    const evicted = of('evicted');
    expect(evicted.filter(({ kind }) => kind === 'record')).toMatchObject([{ repository: 'registry.test/old' }]);
    expect(evicted.filter(({ size }) => size === mebibyte).length).toBeGreaterThan(1);
    expect(of('damaged')).toMatchObject([{ kind: 'object', key: 'damaged/blobs/sha256/aa/old', size: 7 }]);
    expect(counts).toMatchObject({ removedRecords: parts.length + 2, removedContents: contents.length, failed: 0 });
    expect(swept.removedContents).toBe(counts.removedContents);
    expect(swept.removedBytes - counts.removedBytes).toBeLessThanOrEqual(4096 * rest.length);
  });

  it('finds records without content', async () => {
    await using stock = await Stock.make();
    const blob = makeBlob(1_000, 'dangling');
    await stock.pullBlob('app', blob);
    const { rm } = await import('node:fs/promises');
    await rm(`${stock.root}/blobs`, { recursive: true });
    const { found } = await find(stock);
    const digest = { digest: blob.digest, reason: 'dangling', kind: 'record' };
    expect(found).toMatchObject([{ ...digest, repository: 'registry.test/app' }, digest]);
    await stock.sweeper.run();
    expect((await find(stock)).found).toEqual([]);
  });

  it('leaves out what is held, and what was used since it was listed', async () => {
    await using stock = await Stock.make({ server: { maxSize: 100 * mebibyte } });
    const [idle, used] = [makeBlob(mebibyte, 'idle'), makeBlob(mebibyte, 'used')];
    for (const blob of [idle, used]) await stock.pullBlob('app', blob);
    await stock.pull('app', image);
    await stock.age(50 * day);
    stock.forgetUses();
    await stock.stage.get('app/manifests/latest');
    await stock.stage.get(`app/${blobPath(used)}`);
    await stock.settled();
    stock.allow(mebibyte);
    const { found } = await find(stock);
    expect(found.filter(({ kind }) => kind === 'content').map(({ digest }) => digest)).toEqual([idle.digest]);
  });

  it('runs alone, ends when a sweep begins, and does not disturb that', async () => {
    await using stock = await fill();
    const [reported, gate] = [new Gate(), new Gate()];
    const running = stock.sweeper.findRemovable(AbortSignal.timeout(60_000), () => {
      reported.open();
      return gate.opened;
    });
    const ended = expect(running).rejects.toThrow('a sweep has begun');
    await reported.opened;
    await expect(find(stock)).rejects.toThrow('a dry run is in progress');
    const sweep = stock.sweeper.run();
    await expect(find(stock)).rejects.toThrow('a sweep is in progress');
    gate.open();
    await ended;
    expect((await sweep).failed).toBe(0);
    expect((await find(stock)).counts).toMatchObject({ removedRecords: 0, removedContents: 0, removedBytes: 0 });
  });

  it('ends with its caller, and with what the report throws', async () => {
    await using stock = await fill();
    const leave = new AbortController();
    const left = stock.sweeper.findRemovable(leave.signal, () => {
      leave.abort(new Error('gone'));
      return Promise.resolve();
    });
    await expect(left).rejects.toThrow('gone');
    const broken = stock.sweeper.findRemovable(AbortSignal.timeout(60_000), () => Promise.reject(new Error('broken')));
    await expect(broken).rejects.toThrow('broken');
    expect((await find(stock)).counts.failed).toBe(0);
  });
});
