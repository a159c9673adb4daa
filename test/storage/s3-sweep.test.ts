import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SweepService } from '../../src/registry/eviction/sweep.service.js';
import { UsesService } from '../../src/registry/eviction/uses.service.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeImage, type FixtureImage } from '../fixtures/images.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

/** Milliseconds. */
const day = 86_400_000;
const unused = makeImage({ seed: 'unused', layers: [100, 200_000] });
const used = makeImage({ seed: 'used', layers: [300] });
const partsOf = ({ manifest, config, layers }: FixtureImage) => [manifest, config, ...layers];
const hexesOf = (image: FixtureImage) => partsOf(image).map(({ digest }) => digest.slice(7));

let server: VersityGateway;
let bucket: Bucket;
let registry: FakeRegistry;

beforeAll(async () => {
  server = await VersityGateway.start();
});
beforeEach(async () => {
  bucket = await server.makeBucket();
  registry = await FakeRegistry.start();
  registry.addImage('app', unused, ['unused']);
  registry.addImage('app', used, ['used']);
});
afterEach(async () => {
  bucket.close();
  await registry.close();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A process of its own for all that it remembers. */
const start = () => S3Mirror.start(bucket.settings(), registry, { sweepInterval: 0 }, { unusedContentTtl: 14 * day });

async function pull(mirror: S3Mirror, image: FixtureImage, tag: string): Promise<void> {
  const { manifest, config, layers } = image;
  const paths = [`manifests/${tag}`, `manifests/${manifest.digest}`];
  for (const { digest } of [config, ...layers]) paths.push(`blobs/${digest}`);
  for (const path of paths) expect([path, (await request(mirror.urlOf(`app/${path}`))).status]).toEqual([path, 200]);
  await mirror.idle();
  await mirror.app.get(UsesService).settled();
}

/** Paths that are about the image: its content and its records. */
async function pathsOf(image: FixtureImage, tag: string, prefix: string): Promise<string[]> {
  const paths = await bucket.paths(prefix);
  return paths.filter((path) => path.endsWith(`/_tags/${tag}`) || hexesOf(image).some((hex) => path.endsWith(hex)));
}

describe('a sweep of a bucket', () => {
  it('removes what is unused, with the marks of its use, and keeps what is used', async () => {
    {
      await using mirror = await start();
      await pull(mirror, unused, 'unused');
      await pull(mirror, used, 'used');
    }
    await server.age(bucket, 60 * day);
    {
      await using mirror = await start();
      await pull(mirror, unused, 'unused');
    }
    // It was used once after it was stored, and that is long ago as well.
    const marks = await pathsOf(unused, 'unused', 'used/');
    expect(marks.length).toBeGreaterThanOrEqual(2 * partsOf(unused).length);
    await server.age(bucket, 30 * day);

    await using mirror = await start();
    await pull(mirror, used, 'used');
    const stored = await pathsOf(used, 'used', '');
    expect(stored.some((path) => path.startsWith('used/'))).toBe(true);
    const result = await mirror.app.get(SweepService).run();
    expect(result).toMatchObject({
      removedContents: partsOf(unused).length,
      objects: partsOf(used).length,
      failed: 0,
    });
    // Objects take whole blocks, records too.
    const bytes = partsOf(unused).reduce((sum, { body }) => sum + body.length, 0);
    expect(result.removedBytes).toBeGreaterThanOrEqual(bytes);
    expect(await pathsOf(unused, 'unused', '')).toEqual([]);
    expect(await pathsOf(used, 'used', '')).toEqual(stored);

    // What stays is served as before, and what went is got again.
    registry.reset();
    await pull(mirror, used, 'used');
    expect(registry.count({ kind: 'blob', method: 'GET' })).toBe(0);
    await pull(mirror, unused, 'unused');
    expect(registry.count({ kind: 'blob', method: 'GET' })).toBe(1 + unused.layers.length);
  });

  it('keeps what is old but was used of late, as only its marks tell a new process', async () => {
    {
      await using mirror = await start();
      await pull(mirror, used, 'used');
    }
    await server.age(bucket, 60 * day);
    {
      await using mirror = await start();
      await pull(mirror, used, 'used');
    }
    const before = await pathsOf(used, 'used', '');
    await using mirror = await start();
    expect(await mirror.app.get(SweepService).run()).toMatchObject({ failed: 0, objects: partsOf(used).length });
    expect(await pathsOf(used, 'used', '')).toEqual(before);
  });

  it('costs the requests that the documentation says', async () => {
    await using proxy = await FaultyProxy.start(server.url);
    const settings = bucket.settings({ host: proxy.url });
    {
      await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0 });
      await pull(mirror, unused, 'unused');
      await pull(mirror, used, 'used');
    }
    await server.age(bucket, 30 * day);
    const requests = async (mirror: S3Mirror) => {
      proxy.requests.length = 0;
      const { removedContents, removedRecords } = await mirror.app.get(SweepService).run();
      const listed = (what: string) => proxy.count(new RegExp(`^GET .*[?&]prefix=${what}%2F`));
      const lists = Object.fromEntries(['repositories', 'blobs', 'origins'].map((what) => [what, listed(what)]));
      const [heads, deletes] = [proxy.count(/^HEAD /), proxy.count(/^DELETE /)];
      return {
        ...lists,
        markers: listed('used%2F(?:repositories|blobs|origins)'),
        heads,
        deletes,
        removedContents,
        removedRecords,
      };
    };
    const none = { heads: 0, deletes: 0, removedContents: 0, removedRecords: 0 };
    {
      await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0 });
      expect(await requests(mirror)).toEqual({ repositories: 2, blobs: 1, origins: 1, markers: 4, ...none });
      expect(await requests(mirror)).toEqual({ repositories: 1, blobs: 1, origins: 0, markers: 2, ...none });
    }
    const all = [...partsOf(unused), ...partsOf(used)].length;
    {
      await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0, maxSize: 1 });
      // A tag is not about a digest, and goes with content as old as it is.
      expect(await requests(mirror)).toMatchObject({
        repositories: 2,
        blobs: 2,
        origins: 1,
        markers: 5,
        // Of content, its marker and its record.
        heads: 3 * all,
        // Content, its origin and its record, and two tags.
        deletes: 2 * (3 * all + 2),
        removedContents: all,
      });
    }
  });
});
