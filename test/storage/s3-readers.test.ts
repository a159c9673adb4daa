import { afterAll, beforeAll, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { sample } from '../../src/storage/testing/content.js';
import type { StoredObject } from '../../src/storage/storage.provider.js';
import { Watcher } from '../chaos/support/client.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

let server: VersityGateway;
let bucket: Bucket;

beforeAll(async () => {
  server = await VersityGateway.start();
  bucket = await server.makeBucket();
});
afterAll(async () => {
  bucket.close();
  await server[Symbol.asyncDispose]();
});

async function quick<T>(action: Promise<T>): Promise<T> {
  const from = performance.now();
  const value = await action;
  expect(performance.now() - from).toBeLessThan(1_000);
  return value;
}

it('1,100 objects that are open and not read keep no request of the provider waiting', async () => {
  const provider = new S3Provider(bucket.settings({ prefix: 'many' }));
  await provider.initialize();
  const open: StoredObject[] = [];
  try {
    await provider.write('blobs/large', sample(2_000_000));
    await provider.write('blobs/small', sample(10));
    for (let count = 0; count < 1_100; count += 50) {
      open.push(...(await Promise.all(Array.from({ length: 50 }, () => provider.open('blobs/large')))));
    }
    expect(await quick(provider.read('blobs/small', 10))).toEqual(sample(10));
    expect(await quick(provider.stat('blobs/large'))).toMatchObject({ size: 2_000_000 });
    await quick(provider.write('blobs/other', sample(10)));
  } finally {
    for (const object of open) await object.close();
    await provider.close();
  }
});

it('200 readers of a warm blob who read nothing keep no small request waiting', async () => {
  const layer = makeBlob(16_000_000, 'read slowly');
  const images = Array.from({ length: 20 }, (_, index) => makeImage({ seed: `small ${index}`, layers: [100] }));
  const registry = await FakeRegistry.start();
  registry.addBlob('app', layer);
  for (const [index, image] of images.entries()) registry.addImage('app', image, [String(index)]);
  const paths = images.flatMap(({ manifest, layers: [small] }) => [
    `app/manifests/${manifest.digest}`,
    `app/blobs/${small!.digest}`,
  ]);
  const waiting: Watcher[] = [];
  try {
    await using mirror = await S3Mirror.start(bucket.settings(), registry, { memoryCache: 0, sweepInterval: 0 });
    for (const path of [...paths, `app/blobs/${layer.digest}`]) {
      expect([path, (await request(mirror.urlOf(path))).status]).toEqual([path, 200]);
    }
    await mirror.idle();
    for (let count = 0; count < 200; count += 1) {
      const reader = await Watcher.open(mirror.urlOf(`app/blobs/${layer.digest}`), layer.body);
      reader.pause();
      waiting.push(reader);
    }
    for (const path of paths) {
      const { status, headers } = await quick(request(mirror.urlOf(path)));
      expect([path, status, headers['x-cache']]).toEqual([path, 200, 'HIT']);
    }
    // Who reads on gets all of it.
    for (const reader of waiting.slice(0, 5)) {
      reader.resume();
      expect(await reader.isWhole()).toBe(true);
    }
    for (const reader of waiting) reader.leave();
  } finally {
    for (const reader of waiting) reader.leave();
    await registry.close();
  }
});
