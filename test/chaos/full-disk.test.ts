import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { DownloadsService } from '../../src/registry/mirrored/downloads/downloads.service.js';
import { Mirror } from '../e2e/support/mirror.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { makeBlob, makeImage, type FixtureBlob } from '../fixtures/images.js';
import { codeOf, pull, Watcher } from './support/client.js';
import { FaultyStorage } from './support/faulty-storage.js';
import { until } from './support/gate.js';
import { storedDigests } from './support/stored.js';

const app = RepositoryRef.parse('registry.test/app');
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** A registry, a mirror of it, and the mirror's storage. */
class Stage implements AsyncDisposable {
  private constructor(
    readonly registry: FakeRegistry,
    readonly storage: FaultyStorage,
    readonly mirror: Mirror,
  ) {}

  static async set(checkCacheDigest = false): Promise<Stage> {
    const registry = await FakeRegistry.start();
    const storage = await FaultyStorage.make();
    const mirror = await Mirror.start({
      storage,
      root: storage.root,
      server: { checkCacheDigest },
      upstreams: [{ namespace: 'registry.test', host: registry.host }],
    });
    return new Stage(registry, storage, mirror);
  }

  url(path: string): string {
    return `${this.mirror.url}/v2/registry.test/app/${path}`;
  }

  blobUrl({ digest }: FixtureBlob): string {
    return this.url(`blobs/${digest}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.registry.close();
    await this.storage[Symbol.asyncDispose]();
  }
}

const points: Record<string, (storage: FaultyStorage, size: number) => void> = {
  'before the first byte': (storage) => void storage.faults.set('createIngest', 'full'),
  'at the first byte': (storage) => (storage.space = 0),
  'after one byte': (storage, size) => (storage.space = Math.min(1, size - 1)),
  'in the middle': (storage, size) => (storage.space = Math.floor(size / 2)),
  'before the last byte': (storage, size) => (storage.space = Math.max(0, size - 1)),
  'at the commit': (storage) => void storage.faults.set('commit', 'full'),
  'for a reason of its own': (storage) => void storage.faults.set('append', 'failed'),
};

describe.concurrent.each(Object.entries(points))('a disk that is full %s', (name, fill) => {
  it.each([1, 100, 64 * kibibyte, 64 * kibibyte + 1, 3 * mebibyte])(
    'keeps nobody from a blob of %i bytes, and keeps nothing of it',
    async (size) => {
      await using stage = await Stage.set();
      for (const count of [1, 5]) {
        const blob = makeBlob(size, `${name} ${count}`);
        stage.registry.addBlob('app', blob);
        fill(stage.storage, size);
        const outcomes = await Promise.all(Array.from({ length: count }, () => pull(stage.blobUrl(blob), blob.body)));
        expect(outcomes.map(({ verdict }) => verdict)).toEqual(outcomes.map(() => 'right'));
        await stage.mirror.settled();
      }
      expect(await storedDigests(stage.mirror)).toEqual([]);
      stage.storage.faults.clear();
      stage.storage.space = Infinity;
      const blob = makeBlob(size, `${name} 1`);
      expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
      await stage.mirror.settled();
      expect(await storedDigests(stage.mirror)).toEqual([blob.digest]);
    },
  );

  it('keeps nobody from a large blob who is slow, leaves, or comes late', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(12 * mebibyte, name);
    stage.registry.addBlob('app', blob);
    fill(stage.storage, blob.body.length);
    const open = () => Watcher.open(stage.blobUrl(blob), blob.body);
    const [slow, fast, leaver] = [await open(), await open(), await open()];
    slow.pause();
    await fast.has(mebibyte);
    leaver.leave();
    const late = await open();
    // A pass-through goes at the pace of the slowest: it is the window in memory that waits.
    setTimeout(() => slow.resume(), 200);
    const whole = await Promise.all([slow, fast, late].map((client) => client.isWhole()));
    expect(whole).toEqual([true, true, true]);
    await stage.mirror.settled();
    const latest = await open();
    expect(await latest.isWhole()).toBe(true);
    await stage.mirror.settled();
    expect(await storedDigests(stage.mirror)).toEqual([]);
  });

  it('keeps nobody from a manifest', async () => {
    await using stage = await Stage.set();
    const { manifest } = makeImage({ seed: name });
    stage.registry.addManifest('app', manifest);
    stage.registry.setTag('app', 'latest', manifest.digest);
    fill(stage.storage, manifest.body.length);
    stage.storage.faults.set('write', 'full');
    for (const reference of ['latest', manifest.digest, 'latest']) {
      const outcome = await pull(stage.url(`manifests/${reference}`), manifest.body);
      expect([outcome.verdict, outcome.headers['content-type']]).toEqual(['right', manifest.mediaType]);
    }
    expect(await storedDigests(stage.mirror)).toEqual([]);
  });
});

describe.concurrent('a disk that fills up during a download', () => {
  it('lets those who come after its window has moved on begin anew, and everybody ends whole', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(12 * mebibyte, 'window');
    stage.registry.addBlob('app', blob);
    stage.registry.behaviour.bytesPerSecond = 12 * mebibyte;
    stage.storage.space = mebibyte;
    const first = await Watcher.open(stage.blobUrl(blob), blob.body);
    await first.has(5 * mebibyte);
    expect(stage.mirror.app.get(DownloadsService).find(app, Digest.parse(blob.digest))).toBeUndefined();
    const late = await Promise.all([1, 2].map(() => Watcher.open(stage.blobUrl(blob), blob.body)));
    expect(await Promise.all([first, ...late].map((client) => client.isWhole()))).toEqual([true, true, true]);
    expect(stage.registry.count({ kind: 'blob', method: 'GET' })).toBe(2);
  });

  it('ends a download that nobody reads any more', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(12 * mebibyte, 'abandoned');
    stage.registry.addBlob('app', blob);
    stage.registry.behaviour.bytesPerSecond = 6 * mebibyte;
    stage.storage.faults.set('createIngest', 'full');
    const client = await Watcher.open(stage.blobUrl(blob), blob.body);
    await client.has(mebibyte);
    client.leave();
    await stage.mirror.settled();
    expect(stage.registry.bodyBytes()).toBeLessThan(blob.body.length);
    expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
  });

  it('serves the range that a client asks for', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(6 * mebibyte, 'range');
    stage.registry.addBlob('app', blob);
    stage.storage.space = mebibyte;
    const ranges = [
      [0, 99],
      [mebibyte - 10, mebibyte + 10],
      [5 * mebibyte, 6 * mebibyte - 1],
    ] as const;
    const outcomes = await Promise.all(
      ranges.map(([first, last]) =>
        pull(stage.blobUrl(blob), blob.body.subarray(first, last + 1), {
          headers: { range: `bytes=${first}-${last}` },
        }),
      ),
    );
    expect(outcomes.map(({ verdict, status }) => `${verdict} ${status}`)).toEqual(ranges.map(() => 'right 206'));
  });

  it('lets a blob be served whose record cannot be written', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(100_000, 'record');
    stage.registry.addBlob('app', blob);
    stage.storage.faults.set('write', 'failed');
    expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
    await stage.mirror.settled();
    // The content is there, and the upstream is asked whether it still belongs to the repository.
    const again = await pull(stage.blobUrl(blob), blob.body);
    expect([again.verdict, again.headers['x-cache']]).toEqual(['right', 'REVALIDATED']);
    expect(stage.registry.count({ kind: 'blob', method: 'GET' })).toBe(1);
  });

  it('keeps nobody from a blob whose record has no space, and keeps the record when there is some', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(100_000, 'record');
    stage.registry.addBlob('app', blob);
    stage.storage.faults.set('write', 'full');
    for (let pulls = 0; pulls < 2; pulls += 1)
      expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
    stage.storage.faults.clear();
    await stage.mirror.settled();
    expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
    await stage.mirror.settled();
    const again = await pull(stage.blobUrl(blob), blob.body);
    expect([again.verdict, again.headers['x-cache']]).toEqual(['right', 'HIT']);
  });
});

describe('a storage that cannot be read', () => {
  it.each(['read', 'open', 'stat'] as const)('is 503, and neither an absence nor a download: %s', async (operation) => {
    await using stage = await Stage.set();
    const image = makeImage({ layers: [100, 200_000] });
    stage.registry.addImage('app', image, ['latest']);
    const paths = [
      'manifests/latest',
      `manifests/${image.manifest.digest}`,
      ...image.layers.map(({ digest }) => `blobs/${digest}`),
    ];
    for (const path of paths) await pull(stage.url(path), Buffer.alloc(0));
    await stage.mirror.settled();
    stage.registry.reset();
    stage.storage.faults.set(operation, 'failed');
    // What of the paths and methods needs which operation is the mirror's business; trouble, when met, is trouble.
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const before = stage.storage.failed;
        const outcome = await pull(stage.url(path), Buffer.alloc(0), { method });
        if (stage.storage.failed === before) expect(outcome.status).toBe(200);
        else expect([outcome.status, outcome.headers['retry-after']]).toEqual([503, '5']);
        if (stage.storage.failed > before && method === 'GET') expect(codeOf(outcome)).toBe('UNAVAILABLE');
      }
    }
    expect(stage.storage.failed).toBeGreaterThan(0);
    expect(stage.registry.requests).toEqual([]);
    stage.storage.faults.clear();
    for (const path of paths) expect((await pull(stage.url(path), Buffer.alloc(0))).status).toBe(200);
    expect(stage.registry.requests).toEqual([]);
  });

  it.each(['copy', 'delete'] as const)('leaves no file open when content cannot be checked: %s', async (operation) => {
    await using stage = await Stage.set(true);
    const blob = makeBlob(100_000, 'check');
    stage.registry.addBlob('app', blob);
    await pull(stage.blobUrl(blob), blob.body);
    await stage.mirror.settled();
    if (operation === 'delete') {
      const [, hex = ''] = blob.digest.split(':');
      await stage.storage.write(`blobs/sha256/${hex.slice(0, 2)}/${hex}`, Buffer.alloc(100_000));
    }
    stage.storage.faults.set(operation, 'failed');
    // What is damaged is moved away, or removed where that is not possible.
    stage.storage.faults.set('move', 'full');
    expect((await pull(stage.blobUrl(blob), blob.body)).status).toBe(503);
    stage.storage.faults.clear();
    // The first that comes when the trouble is over gets the right bytes.
    expect((await pull(stage.blobUrl(blob), blob.body)).verdict).toBe('right');
    await until(() => stage.mirror.app.get(DownloadsService).count === 0, 'nothing is downloaded');
  });
});
