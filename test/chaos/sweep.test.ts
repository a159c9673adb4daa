import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RemovalService } from '../../src/registry/eviction/removal.service.js';
import { UsageService } from '../../src/registry/eviction/usage.service.js';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { Tag } from '../../src/oci/reference.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { HandClock } from '../fakes/hand-clock.js';
import { makeBlob, makeImage, makeIndex } from '../fixtures/images.js';
import { Watcher } from './support/client.js';
import { blobPath, day, hexOf, hour, Stock } from './support/stock.js';

const image = makeImage({ seed: 'swept', layers: [100, 200_000] });
const other = makeImage({ seed: 'kept', layers: [300] });
const parts = [image.manifest, image.config, ...image.layers];

/** Folders that hold nothing, but for those right below the root. */
async function emptyFolders({ root }: Stock): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  const holding = new Set(entries.map(({ parentPath }) => parentPath));
  return folders.filter((folder) => !holding.has(folder) && dirname(folder) !== root);
}

describe('a sweep for age', () => {
  it('removes nothing for its age by default, however old it is', async () => {
    await using stock = await Stock.make();
    await stock.pull('app', image);
    await stock.age(3_000 * day);
    stock.forgetUses();
    const before = await stock.files();
    expect(await stock.sweeper.run()).toMatchObject({ removedRecords: 0, removedContents: 0, objects: parts.length });
    expect((await stock.files()).filter((file) => file !== 'state/usage')).toEqual(before);
  });

  it('removes what is unused for longer than the upstream says: records, their content, tags, and from memory', async () => {
    await using stock = await Stock.make({ upstream: { unusedContentTtl: 14 * day } });
    await stock.pull('app', image);
    await stock.pull('app', other, 'other');
    await stock.age(14 * day + 2 * hour);
    // The pulls of a moment ago are as long ago as the files say.
    stock.forgetUses();
    await stock.stage.get(`app/manifests/other`);
    await stock.settled();
    await stock.sweeper.run();
    for (const part of parts) expect([part.digest, await stock.has(part)]).toEqual([part.digest, false]);
    for (const part of [other.manifest, other.config, ...other.layers]) expect(await stock.has(part)).toBe(true);
    expect(await stock.files('_tags/latest')).toEqual([]);
    expect(await stock.files('_tags/other')).toHaveLength(1);
    expect(await emptyFolders(stock)).toEqual([]);
    stock.stage.registry.reset();
    await stock.pull('app', image);
    expect(stock.stage.registry.count({ kind: 'blob', method: 'GET' })).toBe(1 + image.layers.length);
  });

  it('waits for as long as a use may be recorded late', async () => {
    await using stock = await Stock.make({ upstream: { unusedContentTtl: day } });
    await stock.pull('app', image);
    await stock.age(day + hour - 60_000);
    stock.forgetUses();
    await stock.sweeper.run();
    for (const part of parts) expect(await stock.has(part)).toBe(true);
  });

  it('keeps what is used, by its time on the disk, through a new process', async () => {
    await using stock = await Stock.make({ upstream: { unusedContentTtl: day } });
    await stock.pull('app', image);
    await stock.age(10 * day);
    stock.forgetUses();
    await stock.stage.get('app/manifests/latest');
    await stock.settled();
    // The manifest tells what is about to be pulled.
    for (const { digest } of parts)
      for (const at of await stock.usedAt(hexOf(digest))) expect(Date.now() - at).toBeLessThan(hour);
    stock.forgetUses();
    await stock.sweeper.run();
    for (const part of parts) expect(await stock.has(part)).toBe(true);
  });

  it('believes no age for a day after the time of day has jumped', async () => {
    const clock = new HandClock();
    clock.jump((Date.now() - clock.now()) / 1000);
    await using stock = await Stock.make({ clock, upstream: { unusedContentTtl: day } });
    await stock.pull('app', image);
    stock.forgetUses();
    clock.jump(30 * 86_400);
    expect(await stock.sweeper.run()).toMatchObject({ removedRecords: 0, removedContents: 0 });
    clock.jump(-60 * 86_400);
    expect(await stock.sweeper.run()).toMatchObject({ removedRecords: 0, removedContents: 0 });
    clock.jump(30 * 86_400);
    clock.pass(86_400);
    // Ages count again, and only now.
    await stock.sweeper.run();
    clock.pass(86_400);
    await stock.sweeper.run();
    for (const part of parts) expect(await stock.has(part)).toBe(false);
  });

  it('is asked for at most once at a time', async () => {
    await using stock = await Stock.make();
    expect(stock.sweeper.run()).toBe(stock.sweeper.run());
    await stock.sweeper.run();
    expect(stock.sweeper.status).toMatchObject({ running: false, phase: 'idle', last: { failed: 0 } });
  });
});

describe('a sweep for what belongs to nobody', () => {
  it('removes old content without a record, and leaves fresh content: its record may be on its way', async () => {
    await using stock = await Stock.make();
    const [old, fresh] = [makeBlob(1_000, 'old'), makeBlob(1_000, 'fresh')];
    await stock.pullBlob('app', old);
    await stock.pullBlob('app', fresh);
    await stock.age(2 * hour, hexOf(old.digest));
    const removal = stock.stage.mirror.app.get(RemovalService);
    const app = RepositoryRef.of(Namespace.parse('registry.test'), 'app');
    for (const { digest } of [old, fresh]) {
      expect(await removal.removeBlob(app, Digest.parse(digest))).toBe(true);
      expect(await removal.removeBlob(app, Digest.parse(digest))).toBe(false);
    }
    await stock.sweeper.run();
    expect([await stock.has(old), await stock.has(fresh)]).toEqual([false, true]);
  });

  it('keeps content that another repository has', async () => {
    await using stock = await Stock.make();
    const blob = makeBlob(1_000, 'shared');
    for (const name of ['one', 'two']) await stock.pullBlob(name, blob);
    await stock.age(2 * day);
    stock.forgetUses();
    const removal = stock.stage.mirror.app.get(RemovalService);
    await removal.removeBlob(RepositoryRef.of(Namespace.parse('registry.test'), 'one'), Digest.parse(blob.digest));
    await stock.sweeper.run();
    expect(await stock.has(blob)).toBe(true);
  });

  it('removes the records of content that is gone', async () => {
    await using stock = await Stock.make();
    await stock.pull('app', image);
    const app = stock.stage.mirror.root;
    const { rm } = await import('node:fs/promises');
    await rm(join(app, 'blobs'), { recursive: true });
    await stock.sweeper.run();
    expect(await stock.files('origins')).toEqual([]);
    expect((await stock.files('repositories')).filter((file) => !file.includes('_tags'))).toEqual([]);
    await stock.pull('app', image);
    for (const part of parts) expect(await stock.has(part)).toBe(true);
  });

  it('keeps what was set aside for a week', async () => {
    await using stock = await Stock.make();
    await stock.plant('damaged/blobs/sha256/aa/old');
    await stock.plant('damaged/blobs/sha256/aa/new');
    await stock.age(8 * day, 'damaged/blobs/sha256/aa/old');
    expect(await stock.sweeper.run()).toMatchObject({ damaged: 1 });
    expect(await stock.files('damaged')).toEqual(['damaged/blobs/sha256/aa/new']);
  });

  it('never touches foreign files, whatever their names and ages', async () => {
    await using stock = await Stock.make({ upstream: { unusedContentTtl: 0 }, server: { maxSize: 4096 } });
    const hex = 'ab'.repeat(32);
    const foreign = [
      'notes.txt',
      'blobs/readme',
      `blobs/sha256/${hex}`,
      `blobs/sha512/ab/${hex.slice(1)}`,
      `blobs/${hex}`,
      `blobs/sha256/ab/notes/${hex}.tmp`,
      `blobs/docker.io/library/busybox/sha256:${hex}`,
      'manifests/docker.io/library/busybox/latest',
      `repositories/registry.test/_blobs/sha256/${hex}`,
      'repositories/registry.test/app/_uploads/1',
      'repositories/registry.test/app/_blobs/sha256/short',
      'Repositories/registry.test/APP/_tags/latest',
    ];
    for (const path of foreign) await stock.plant(path);
    await stock.age(900 * day);
    await stock.sweeper.run();
    expect((await stock.files()).filter((file) => file !== 'state/usage')).toEqual([...foreign].sort());
  });
});

describe('a quota', () => {
  const mebibyte = 1024 * 1024;
  const blobs = Array.from({ length: 12 }, (_, index) => makeBlob(mebibyte, `quota ${index}`));
  const total = async (stock: Stock) => {
    const files = await stock.files();
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(join(stock.root, file)).catch(() => undefined))?.size ?? 0),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  };

  it('lets what was used longest ago make way, and keeps to the low-water mark', async () => {
    await using stock = await Stock.make({ server: { maxSize: 100 * mebibyte } });
    for (const [index, blob] of blobs.entries()) {
      await stock.pullBlob('app', blob);
      await stock.age((100 - index) * hour, hexOf(blob.digest));
    }
    stock.forgetUses();
    // Used today, although it came first.
    await stock.stage.get(`app/${blobPath(blobs[0]!)}`);
    await stock.settled();
    stock.forgetUses();
    stock.allow(10 * mebibyte);
    const result = await stock.sweeper.run();
    const kept = await Promise.all(blobs.map((blob) => stock.has(blob)));
    expect(kept).toEqual(blobs.map((_, index) => index === 0 || index > 4));
    expect(result.bytes).toBeLessThanOrEqual(8.5 * mebibyte);
    // The records of what is gone are gone.
    expect(await stock.files('_blobs')).toHaveLength(8);
  });

  it('lets no more small content make way than is needed, for its records go as well', async () => {
    await using stock = await Stock.make({ server: { maxSize: 100 * mebibyte } });
    const small = Array.from({ length: 100 }, (_, index) => makeBlob(1_000, `small ${index}`));
    for (const blob of small) await stock.pullBlob('app', blob);
    await stock.age(5 * hour);
    stock.forgetUses();
    // A block for each piece, and one for its record.
    const quota = 2 * 4096 * small.length;
    stock.allow(quota);
    const { bytes, removedContents } = await stock.sweeper.run();
    expect(bytes).toBeLessThanOrEqual(0.85 * quota);
    expect(bytes).toBeGreaterThan(0.82 * quota);
    expect(await stock.files('_blobs')).toHaveLength(small.length - removedContents);
  });

  it('is never passed, while every pull is right', async () => {
    await using stock = await Stock.make({ server: { maxSize: 5 * mebibyte } });
    for (const blob of blobs) {
      expect(await stock.pullBlob('app', blob)).toBe(200);
      expect(await total(stock)).toBeLessThanOrEqual(5 * mebibyte);
    }
    const waiting = Array.from({ length: 6 }, (_, index) => makeBlob(mebibyte, `crowd ${index}`));
    await Promise.all(waiting.map((blob) => stock.pullBlob('app', blob)));
    expect(await total(stock)).toBeLessThanOrEqual(5 * mebibyte);
    await stock.sweeper.run();
    expect(await total(stock)).toBeLessThanOrEqual(4.25 * mebibyte);
    await stock.pullBlob('app', makeBlob(1_000, 'small'));
    expect(await stock.has(makeBlob(1_000, 'small'))).toBe(true);
  });

  it('passes manifests and tags through as well', async () => {
    await using stock = await Stock.make({ server: { maxSize: 4096 } });
    await stock.plant('blobs/foreign');
    const full = makeBlob(4096, 'fills it');
    await stock.pullBlob('app', full);
    await stock.pull('app', image);
    await stock.pull('app', image);
    for (const part of parts) expect(await stock.has(part)).toBe(false);
  });

  it('removes nothing that is read, downloaded, or belongs to an image pulled within the hour', async () => {
    await using stock = await Stock.make({ server: { maxSize: 100 * mebibyte } });
    const [read, idle] = [makeBlob(12 * mebibyte, 'read'), makeBlob(mebibyte, 'idle')];
    await stock.pullBlob('app', read);
    await stock.pullBlob('app', idle);
    await stock.pull('app', image);
    await stock.age(50 * day);
    stock.forgetUses();
    const reader = await Watcher.open(stock.stage.urlOf(`app/${blobPath(read)}`), read.body);
    reader.pause();
    await stock.settledUses();
    await stock.age(50 * day);
    stock.forgetUses();
    await stock.stage.get('app/manifests/latest');
    stock.allow(mebibyte);
    await stock.sweeper.run();
    expect([await stock.has(read), await stock.has(idle)]).toEqual([true, false]);
    for (const part of parts) expect(await stock.has(part)).toBe(true);
    reader.resume();
    expect(await reader.isWhole()).toBe(true);
  });

  it('is known after a restart', async () => {
    await using stock = await Stock.make();
    await stock.pull('app', image);
    const { bytes, objects } = await stock.sweeper.run();
    const written = await readFile(join(stock.root, 'state/usage'), 'utf8');
    expect(JSON.parse(written)).toMatchObject({ version: 1, bytes, objects, damaged: 0 });
  });

  it('leaves what a newer program has written about it', async () => {
    await using stock = await Stock.make();
    await stock.plant('state/usage', '{"version":2}');
    await stock.sweeper.run();
    expect(await readFile(join(stock.root, 'state/usage'), 'utf8')).toBe('{"version":2}');
    expect(stock.stage.mirror.log).toContain('newer version');
  });
});

describe('the record of a use', () => {
  it('costs no new object for 1,000 warm requests, and one write an hour at most', async () => {
    await using stock = await Stock.make();
    await stock.pull('app', image);
    await stock.age(2 * hour);
    stock.forgetUses();
    const before = await stock.files();
    const paths = ['manifests/latest', ...image.layers.map(blobPath), blobPath(image.config)];
    for (let count = 0; count < 1_000; count += 1) {
      const path = paths[count % paths.length]!;
      const { status } = await (count % 2 === 0 ? stock.stage.get(`app/${path}`) : stock.stage.head(`app/${path}`));
      expect(status).toBe(200);
      if (count !== 100) continue;
      await stock.settled();
      // Whatever is used from now on has been recorded within the hour.
      for (const at of await stock.usedAt('')) expect(Date.now() - at).toBeLessThan(hour);
      await writeFile(join(stock.root, 'mark'), '');
      await stock.age(100_000);
    }
    await stock.settled();
    expect((await stock.files()).filter((file) => file !== 'mark')).toEqual(before);
    for (const at of await stock.usedAt('')) expect(Date.now() - at).toBeGreaterThanOrEqual(100_000);
  });

  it('holds the images of an index that is pulled', async () => {
    await using stock = await Stock.make({ upstream: { unusedContentTtl: day } });
    const index = makeIndex([{ image, platform: { os: 'linux', architecture: 'amd64' } }]);
    stock.stage.registry.addImage('app', index, ['multi']);
    await stock.pull('app', image);
    await stock.stage.get('app/manifests/multi');
    await stock.age(9 * day);
    stock.forgetUses();
    await stock.stage.get('app/manifests/multi');
    await stock.settled();
    await stock.sweeper.run();
    expect([await stock.has(index.manifest), await stock.has(image.manifest)]).toEqual([true, true]);
    expect(await stock.has(image.layers[0]!)).toBe(false);
  });
});

describe('what is stored', () => {
  it('is told for each repository, those inside others included', async () => {
    await using stock = await Stock.make();
    await stock.pull('team', image);
    await stock.pull('team/app', other);
    await stock.pull('team/app/deep', other);
    const usage = stock.stage.mirror.app.get(UsageService);
    const found: Record<string, unknown> = {};
    for await (const { name, namespace, manifests, blobs, bytes, usedAt } of usage.repositories()) {
      expect(Date.now() - usedAt.getTime()).toBeLessThan(hour);
      expect(found[name]).toBeUndefined();
      found[name] = { namespace, manifests, blobs, bytes };
    }
    const sizeOf = ({ manifest, config, layers }: typeof image) =>
      [manifest, config, ...layers].reduce((sum, { body }) => sum + body.length, 0);
    const namespace = 'registry.test';
    expect(found).toEqual({
      team: { namespace, manifests: 1, blobs: 3, bytes: sizeOf(image) },
      'team/app': { namespace, manifests: 1, blobs: 2, bytes: sizeOf(other) },
      'team/app/deep': { namespace, manifests: 1, blobs: 2, bytes: sizeOf(other) },
    });
    await stock.sweeper.run();
    expect(await usage.usage()).toMatchObject({ objects: 7, damaged: 0 });
  });

  it('is removed when a person says so, and fetched again', async () => {
    await using stock = await Stock.make();
    await stock.pull('app', image);
    const removal = stock.stage.mirror.app.get(RemovalService);
    const app = RepositoryRef.of(Namespace.parse('registry.test'), 'app');
    expect(await removal.removeManifest(app, Tag.parse('absent'))).toBe(false);
    expect(await removal.removeManifest(app, Tag.parse('latest'))).toBe(true);
    expect(await stock.files('_tags')).toEqual([]);
    expect(await stock.files('_manifests')).toEqual([]);
    stock.stage.registry.reset();
    await stock.pull('app', image);
    expect(stock.asked('manifest')).toBeGreaterThan(0);
    expect(await removal.removeManifest(app, Digest.parse(image.manifest.digest))).toBe(true);
    expect(await removal.removeManifest(app, Digest.parse(image.manifest.digest))).toBe(false);
  });
});
