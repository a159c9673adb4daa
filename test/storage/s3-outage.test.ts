import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { sample } from '../../src/storage/testing/content.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request, type Reply } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

/** Milliseconds within which a bucket is known to be broken, a request fails, and a bucket that is back is used. */
const [learning, patience, recovery] = [5_000, 1_000, 8_000];
const layers = Array.from({ length: 8 }, (_, index) => makeBlob(100_000, `layer ${index}`));

let server: VersityGateway;
let bucket: Bucket;

beforeAll(async () => {
  server = await VersityGateway.start();
});
beforeEach(async () => {
  bucket = await server.makeBucket();
});
afterEach(() => bucket.close());
afterAll(() => server[Symbol.asyncDispose]());

async function timed<T>(action: () => Promise<T>): Promise<{ readonly value: T; readonly took: number }> {
  const from = performance.now();
  return { value: await action(), took: performance.now() - from };
}

/** Pulls all layers over and over while the bucket is out of order, then mends it, and pulls until all are there again. */
async function outage(mirror: S3Mirror, begin: () => Promise<void>, end: () => Promise<void>): Promise<void> {
  const pull = (digest: string) => request(mirror.urlOf(`app/blobs/${digest}`));
  const pullAll = () => Promise.all(layers.map(({ digest }) => timed(() => pull(digest))));
  for (const { digest } of layers) expect((await pull(digest)).status).toBe(200);
  await mirror.idle();
  await begin();
  const learnt = performance.now() + learning;
  while (performance.now() < learnt) await pullAll();

  const times: number[] = [];
  for (let round = 0; round < 25; round += 1) {
    for (const { value, took } of await pullAll()) {
      expect(value).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
      times.push(took);
    }
    await sleep(100);
  }
  const slowest = times.sort((one, other) => one - other)[Math.ceil(times.length * 0.99) - 1]!;
  expect(slowest).toBeLessThan(patience);

  await end();
  const back = performance.now();
  let responses: Reply[];
  do {
    responses = (await pullAll()).map(({ value }) => value);
    await sleep(100);
  } while (responses.some(({ status }) => status !== 200));
  expect(performance.now() - back).toBeLessThan(recovery);
  responses.forEach(({ headers, body }, index) => {
    expect([headers['x-cache'], body.equals(layers[index]!.body)]).toEqual(['HIT', true]);
  });
}

describe('a mirror whose bucket is out of order', () => {
  let registry: FakeRegistry;
  beforeEach(async () => {
    registry = await FakeRegistry.start();
    for (const layer of layers) registry.addBlob('app', layer);
  });
  afterEach(() => registry.close());

  it('answers 503 within a second while the server is gone, and serves when it is back', async () => {
    await using mirror = await S3Mirror.start(bucket.settings(), registry);
    try {
      await outage(
        mirror,
        () => server.stop(),
        () => server.restart(),
      );
    } finally {
      await server.restart();
    }
    expect(mirror.log).toMatch(/the bucket is unavailable \(ECONN\w+\)/);
    expect(mirror.log).toContain('the bucket is available again after');
  });

  it.each<Fate>([500, 'cut'])('and while it answers: %s', async (fate) => {
    await using proxy = await FaultyProxy.start(server.url);
    await using mirror = await S3Mirror.start(bucket.settings({ host: proxy.url }), registry);
    const set = (next: Fate) => {
      proxy.fate = () => next;
      return Promise.resolve();
    };
    await outage(
      mirror,
      () => set(fate),
      () => set('pass'),
    );
  });
});

describe('the circuit of a bucket', () => {
  const failed = { name: 'StorageError', kind: 'failed' };
  const out = /^the storage has been failing for \d+ s \((\w+|no response)\)$/;

  async function withProvider(body: (provider: S3Provider, proxy: FaultyProxy) => Promise<void>): Promise<void> {
    await using proxy = await FaultyProxy.start(server.url);
    const tuning = { idleTimeout: 1_000, retryDelay: 20, minOutage: 200, probeDelay: 100, maxProbeDelay: 100 };
    const provider = new S3Provider(bucket.settings({ host: proxy.url }), tuning);
    await provider.initialize();
    try {
      await body(provider, proxy);
    } finally {
      await provider.close();
    }
  }

  it('opens when the server says nothing at all, and asks it one thing at a time', () =>
    withProvider(async (provider, proxy) => {
      await provider.write('blobs/one', sample(10));
      proxy.fate = () => 'hang';
      await Promise.all(
        Array.from({ length: 5 }, () => expect(provider.open('blobs/one')).rejects.toMatchObject(failed)),
      );
      proxy.requests.length = 0;
      const { took } = await timed(async () => {
        for (let tries = 0; tries < 50; tries += 1) {
          await expect(provider.read('blobs/one', 10)).rejects.toThrow(out);
          await expect(provider.write('blobs/two', sample(1))).rejects.toThrow(out);
        }
      });
      // None of the 100 has waited for its idle timeout of a second, as every probe does.
      expect(took).toBeLessThan(5_000);
      await sleep(300);
      expect(proxy.requests[0]).toMatch(/^HEAD .*health\/probe/);
      expect(new Set(proxy.requests).size).toBe(1);
      expect(proxy.requests.length).toBeLessThanOrEqual(1 + (took + 300) / 1_000);
    }));

  it('stays closed for what is not there, for conditions, for refusals, and while only writes fail', () =>
    withProvider(async (provider, proxy) => {
      await provider.write('blobs/one', sample(10));
      for (let tries = 0; tries < 8; tries += 1) {
        await expect(provider.stat('blobs/none')).rejects.toMatchObject({ kind: 'not-found' });
        await expect(provider.open('blobs/none')).rejects.toMatchObject({ kind: 'not-found' });
        expect(await provider.create('blobs/one', sample(1))).toBe(false);
        await sleep(30);
      }
      proxy.fate = (line) => (line.startsWith('PUT') ? 500 : 403);
      for (let tries = 0; tries < 6; tries += 1) {
        await expect(provider.write('blobs/two', sample(1))).rejects.toMatchObject(failed);
        await expect(provider.open('blobs/one')).rejects.toThrow('AccessDenied');
      }
      proxy.fate = () => 'pass';
      expect(await provider.read('blobs/one', 10)).toEqual(sample(10));
    }));

  it('bridges trouble that is short by repeating', () =>
    withProvider(async (provider, proxy) => {
      await provider.write('blobs/one', sample(10));
      proxy.fate = (_, count) => (count <= 20 ? 500 : 'pass');
      const reads = Array.from({ length: 10 }, () => provider.read('blobs/one', 10));
      for (const content of await Promise.all(reads)) expect(content).toEqual(sample(10));
    }));

  it('lets nothing through that a probe has not found in order, whatever reads do', () =>
    withProvider(async (provider, proxy) => {
      await provider.write('blobs/one', sample(10));
      // Only reads of content fail: each probe finds the bucket sound, and the next read does not.
      proxy.fate = (line) => (line.startsWith('GET') ? 500 : 'pass');
      await Promise.all(Array.from({ length: 5 }, () => provider.open('blobs/one').catch(() => undefined)));
      await sleep(300);
      const { took } = await timed(() => expect(provider.open('blobs/one')).rejects.toMatchObject(failed));
      expect(took).toBeLessThan(150);
    }));
});
