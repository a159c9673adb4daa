import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import type { Ingest } from '../../src/storage/storage.provider.js';
import { bytesOf, keysUnder, sample } from '../../src/storage/testing/content.js';
import { until } from '../e2e/support/until.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import type { Bucket } from './support/s3-server.js';
import { gatewayForProviders } from './support/versitygw.js';

const mebibyte = 1024 * 1024;
const key = 'blobs/sha256/ab/abcd';
const content = sample(18 * mebibyte);

const server = gatewayForProviders();
let bucket: Bucket;
let proxy: FaultyProxy;
let provider: S3Provider;

beforeEach(async () => {
  bucket = await server().makeBucket();
  proxy = await FaultyProxy.start(server().url);
  provider = new S3Provider(bucket.settings({ host: proxy.url }), {
    firstPart: 5 * mebibyte,
    idleTimeout: 1_000,
    requestTimeout: 5_000,
    retryDelay: 20,
    // Its circuit has tests of its own: here every request is to reach the server.
    minOutage: Infinity,
    silence: Infinity,
  });
  await provider.initialize();
  proxy.requests.length = 0;
});

/** Whatever happened: no upload is left for the next sweep, no file is open. */
afterEach(async () => {
  proxy.fate = () => 'pass';
  await provider.sweepIngests(0);
  expect(await bucket.unfinished()).toEqual([]);
  const { readlink } = await import('node:fs/promises');
  const open = await readdir('/proc/self/fd');
  const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  expect(targets.filter((target) => target.includes('oci-registry-s3-'))).toEqual([]);
  await provider.close();
  await proxy[Symbol.asyncDispose]();
  bucket.close();
});

it('reads over the connection that it has', async () => {
  const large = sample(1_000_000);
  await provider.write('records/one', sample(1_000));
  await provider.write(key, large);
  await provider.read('records/one', 1_000);
  const { connections } = proxy;
  for (let count = 0; count < 10; count += 1) {
    expect(await provider.read('records/one', 1_000)).toEqual(sample(1_000));
    const object = await provider.open(key);
    for (const offset of [0, 500_000])
      expect((await bytesOf(object, { offset, length: 500_000 })).length).toBe(500_000);
    expect((await bytesOf(object, { offset: 0, length: large.length })).equals(large)).toBe(true);
    await object.close();
  }
  // The first range of each object ends within a body.
  expect(proxy.connections - connections).toBeLessThanOrEqual(10);
});

async function fill(ingest: Ingest): Promise<void> {
  for (let done = 0; done < content.length; done += 1_000_003) {
    await ingest.append(content.subarray(done, done + 1_000_003));
  }
}

async function withIngest(body: (ingest: Ingest) => Promise<void>): Promise<void> {
  const ingest = await provider.createIngest({ key });
  try {
    await body(ingest);
  } finally {
    await ingest.abort();
    await ingest.close();
  }
}

const part = /^PUT .*partNumber=/;
const complete = /^POST .*uploadId=/;
const fates: Fate[] = [500, 503, 'cut', 'lose', 'hang'];

describe('an upload while content comes in', () => {
  it('goes up in parts before it is committed, and nothing is visible before', async () => {
    await withIngest(async (ingest) => {
      await fill(ingest);
      await until('three parts are sent', () => proxy.count(part) === 3);
      expect(await bucket.paths()).toEqual([]);
      await ingest.commit(key);
    });
    expect([proxy.count(part), proxy.count(complete)]).toEqual([4, 1]);
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });

  it.each(fates)('is whole when the first try of each part meets: %s', async (fate) => {
    proxy.fate = (line, count) => (part.test(line) && count === 1 ? fate : 'pass');
    await withIngest(async (ingest) => {
      await fill(ingest);
      await ingest.commit(key);
    });
    expect(proxy.count(part)).toBeGreaterThanOrEqual(8);
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
    expect(await bucket.unfinished()).toEqual([]);
  });

  it('lets followers read while every part fails, and sends all of them at commit', async () => {
    proxy.fate = (line) => (part.test(line) ? 500 : 'pass');
    await withIngest(async (ingest) => {
      await fill(ingest);
      await until('parts have failed', () => proxy.count(part) >= 8);
      expect((await bytesOf(ingest, { offset: 0, length: content.length })).equals(content)).toBe(true);
      proxy.fate = () => 'pass';
      await ingest.commit(key);
    });
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });

  it.each(fates)('is failed, never absent, when the storage stays broken with: %s', async (fate) => {
    await withIngest(async (ingest) => {
      await fill(ingest);
      proxy.fate = () => fate;
      await expect(ingest.commit(key)).rejects.toMatchObject({ name: 'StorageError', kind: 'failed' });
      expect((await bytesOf(ingest, { offset: 0, length: content.length })).equals(content)).toBe(true);
      proxy.fate = () => 'pass';
    });
    await expect(provider.stat(key)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('is sent anew when somebody has removed it', async () => {
    await withIngest(async (ingest) => {
      await fill(ingest);
      await until('three parts are sent', () => proxy.count(part) === 3);
      const thief = new S3Provider(bucket.settings());
      await until('no part is on its way', async () => {
        await thief.sweepIngests(0);
        return (await bucket.unfinished()).length === 0;
      });
      await thief.close();
      await ingest.commit(key);
    });
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });

  it('is sent anew when somebody has removed it and the refusal is lost with the connection', async () => {
    await withIngest(async (ingest) => {
      await fill(ingest);
      await until('three parts are sent', () => proxy.count(part) === 3);
      const removed = /uploadId=([^&\s]+)/.exec(proxy.requests.find((line) => part.test(line))!)![1]!;
      // A server that refuses a part before it has read it may reset the connection under it.
      proxy.fate = (line) => (part.test(line) && line.includes(removed) ? 'cut' : 'pass');
      const thief = new S3Provider(bucket.settings());
      await until('the upload is gone', async () => {
        await thief.sweepIngests(0);
        return (await bucket.unfinished()).length === 0;
      });
      await thief.close();
      await ingest.commit(key);
    });
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });
});

describe('the completion of an upload', () => {
  it('counts when only its answer was lost', async () => {
    proxy.fate = (line, count) => (complete.test(line) && count === 1 ? 'lose' : 'pass');
    await withIngest(async (ingest) => {
      await fill(ingest);
      await ingest.commit(key);
    });
    expect(proxy.count(complete)).toBe(1);
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });

  it('does not take an older object of the same size for its own', async () => {
    await provider.write(key, sample(content.length, 'older'));
    proxy.fate = (line) => (complete.test(line) ? 500 : 'pass');
    await withIngest(async (ingest) => {
      await fill(ingest);
      await expect(ingest.commit(key)).rejects.toMatchObject({ kind: 'failed' });
    });
    expect((await provider.read(key, content.length)).equals(sample(content.length, 'older'))).toBe(true);
  });
});

describe('a read', () => {
  it('goes on where it was cut', async () => {
    await provider.write(key, content);
    proxy.fate = (line, count) => (line.startsWith('GET') && count <= 2 ? 'halve' : 'pass');
    const object = await provider.open(key);
    expect((await bytesOf(object, { offset: 0, length: content.length })).equals(content)).toBe(true);
    await object.close();
    expect(proxy.count(/^GET .*abcd/)).toBeGreaterThan(1);
  });

  it.each(fates)('is trouble and never an absence when the storage is broken with: %s', async (fate) => {
    await provider.write(key, sample(10));
    proxy.fate = () => fate;
    const failed = { name: 'StorageError', kind: 'failed' };
    await Promise.all([
      expect(provider.read(key, 10)).rejects.toMatchObject(failed),
      expect(provider.open(key)).rejects.toMatchObject(failed),
      expect(provider.stat(key)).rejects.toMatchObject(failed),
      expect(provider.write(key, sample(1))).rejects.toMatchObject(failed),
      expect(provider.delete(key)).rejects.toMatchObject(failed),
      expect(provider.move(key, 'blobs/other')).rejects.toMatchObject(failed),
      expect(keysUnder(provider, 'blobs')).rejects.toMatchObject(failed),
      expect(provider.create('blobs/new', sample(1))).rejects.toMatchObject(failed),
      expect(provider.sweepIngests(0)).rejects.toMatchObject(failed),
    ]);
  });

  it('does not take a 404 of something in between for an absence', async () => {
    await provider.write(key, sample(10));
    proxy.fate = (line) => (line.startsWith('GET') ? 404 : 'pass');
    await expect(provider.read(key, 10)).rejects.toMatchObject({ kind: 'failed' });
  });
});

describe('create', () => {
  it('is true for the one who made the object, although the answer was lost', async () => {
    proxy.fate = (line, count) => (line.startsWith('PUT') && count === 1 ? 'lose' : 'pass');
    expect(await provider.create('leases/one', sample(10))).toBe(true);
    expect(await provider.create('leases/one', sample(20))).toBe(false);
  });
});

describe('a conflict with others', () => {
  it('passes, for small objects and for large ones', async () => {
    proxy.fate = (line, count) => (line.startsWith('PUT') && count === 1 ? 409 : 'pass');
    await provider.write(key, sample(10));
    await provider.touch(key);
    await withIngest(async (ingest) => {
      await fill(ingest);
      await ingest.commit(key);
    });
    expect((await provider.read(key, content.length)).equals(content)).toBe(true);
  });
});

describe('lists and copies beyond one request', () => {
  it(
    'merges 1,100 objects with 1,100 markers, removes orphaned markers, and skips foreign keys',
    { timeout: 180_000 },
    async () => {
      const names = Array.from({ length: 1_100 }, (_, index) => `many/${index % 7}/${index}`);
      for (let done = 0; done < names.length; done += 50) {
        await Promise.all(names.slice(done, done + 50).map((name) => provider.write(name, Buffer.from(name))));
        await Promise.all(names.slice(done, done + 50).map((name) => provider.touch(name)));
      }
      await Promise.all(['many/0/', 'many/9/gone', 'many/3/10x'].map((name) => provider.touch(`${name}orphan`)));
      await bucket.client.send(await putOf('many/Foreign key'));
      expect(await keysUnder(provider, 'many')).toEqual([...names].sort());
      expect((await bucket.paths('used/')).length).toBe(1_100);
      expect(await keysUnder(provider, 'many/3')).toEqual(names.filter((name) => name.startsWith('many/3/')).sort());
    },
  );

  it('moves in parts what is too large for one copy', async () => {
    const small = new S3Provider(bucket.settings({ host: proxy.url }), { largestCopy: 5 * mebibyte });
    await small.write(key, content);
    await small.move(key, 'damaged/one');
    expect(proxy.count(part)).toBe(4);
    expect((await small.read('damaged/one', content.length)).equals(content)).toBe(true);
    await expect(small.stat(key)).rejects.toMatchObject({ kind: 'not-found' });
    await small.close();
  });
});

async function putOf(path: string) {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  return new PutObjectCommand({ Bucket: bucket.name, Key: path, Body: 'foreign' });
}
