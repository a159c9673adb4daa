import { ListPartsCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { keys } from '../../src/storage/keys.js';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { UploadLost, UploadStore, type UploadSession } from '../../src/storage/stores/upload.store.js';
import { sample } from '../../src/storage/testing/content.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import type { Bucket } from './support/s3-server.js';
import { gatewayForProviders } from './support/versitygw.js';

const mebibyte = 1024 * 1024;
const repository = RepositoryRef.of(Namespace.parse('local'), 'team/app');
const content = sample(18 * mebibyte);
const digest = Digest.of(content);
const small = sample(20_000);

const server = gatewayForProviders();
let bucket: Bucket;
let proxy: FaultyProxy;
let providers: S3Provider[];
/** Two replicas. */
let one: UploadStore;
let two: UploadStore;
let opened: UploadSession[];

async function replica(): Promise<UploadStore> {
  const provider = new S3Provider(bucket.settings({ host: proxy.url }), {
    firstPart: 5 * mebibyte,
    idleTimeout: 1_000,
    requestTimeout: 5_000,
    retryDelay: 20,
    minOutage: Infinity,
  });
  await provider.initialize();
  providers.push(provider);
  return new UploadStore(provider);
}

beforeEach(async () => {
  bucket = await server().makeBucket();
  proxy = await FaultyProxy.start(server().url);
  [providers, opened] = [[], []];
  [one, two] = [await replica(), await replica()];
  proxy.requests.length = 0;
});

afterEach(async () => {
  proxy.fate = () => 'pass';
  for (const session of opened) await session.release();
  for (const provider of providers) await provider.close();
  await proxy[Symbol.asyncDispose]();
  bucket.close();
});

async function begin(bytes: Buffer, store = one): Promise<UploadSession> {
  const session = await store.begin(repository);
  opened.push(session);
  await appendAll(session, bytes);
  return session;
}

async function claim(id: string, store = two): Promise<UploadSession> {
  const session = await store.claim(id);
  if (!session) throw new Error('there is no such session');
  opened.push(session);
  return session;
}

async function appendAll(session: UploadSession, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; done += 1_000_003)
    await session.append(bytes.subarray(done, done + 1_000_003));
}

/** Everything else is gone: records, parts, rests and multipart uploads. */
async function expectOnly(...stored: Digest[]): Promise<void> {
  expect(await bucket.paths()).toEqual(stored.map(keys.content));
  expect(await bucket.unfinished()).toEqual([]);
  for (const each of stored) {
    const kept = await (providers[0] as S3Provider).read(keys.content(each), content.length);
    expect(Digest.of(kept).equals(each)).toBe(true);
  }
}

describe('upload sessions in a bucket', () => {
  it('commit what one replica has received, and leave nothing else in the bucket', async () => {
    const session = await begin(content.subarray(0, 7 * mebibyte));
    await session.checkpoint();
    await appendAll(session, content.subarray(7 * mebibyte));
    await session.checkpoint();
    expect(await session.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('cost few requests for a small layer', async () => {
    const session = await begin(small);
    await session.checkpoint();
    expect(await session.commit(Digest.of(small))).toBe(small.length);
    const counts = Object.fromEntries(
      ['PUT', 'HEAD', 'DELETE', 'GET', 'POST'].map((method) => [method, proxy.count(new RegExp(`^${method} `))]),
    );
    expect(counts).toEqual({ PUT: 5, HEAD: 5, DELETE: 2, GET: 0, POST: 0 });
    await expectOnly(Digest.of(small));
  });

  it('hold parts of one size in the bucket, and the rest beside them', async () => {
    const session = await begin(content);
    await session.checkpoint();
    const where = { Bucket: bucket.name };
    const { Uploads = [] } = await bucket.client.send(new ListMultipartUploadsCommand(where));
    const [{ Key, UploadId } = {}] = Uploads;
    const { Parts = [] } = await bucket.client.send(new ListPartsCommand({ ...where, Key, UploadId }));
    expect(Parts.map(({ Size }) => Size)).toEqual([5, 5, 5].map((size) => size * mebibyte));
    expect((await bucket.paths('ingest/')).filter((path) => path.endsWith(`-3-${3 * mebibyte}`))).toHaveLength(1);
    await session.abort();
    await expectOnly();
  });

  it('begin larger parts before there are too many, and commit', async () => {
    const provider = new S3Provider(bucket.settings(), { firstPart: 5 * mebibyte, maxParts: 4 });
    await provider.initialize();
    providers.push(provider);
    const large = sample(67 * mebibyte);
    const session = await begin(large.subarray(0, 44 * mebibyte), new UploadStore(provider));
    await session.checkpoint();
    const { Uploads = [] } = await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }));
    const [{ Key, UploadId } = {}] = Uploads;
    const { Parts = [] } = await bucket.client.send(new ListPartsCommand({ Bucket: bucket.name, Key, UploadId }));
    expect(Parts.map(({ Size }) => Size)).toEqual([20, 20].map((size) => size * mebibyte));
    const moved = await claim(session.id, new UploadStore(provider));
    await appendAll(moved, large.subarray(44 * mebibyte));
    expect(await moved.commit(Digest.of(large))).toBe(large.length);
    expect(await bucket.paths()).toEqual([keys.content(Digest.of(large))]);
    expect(await bucket.unfinished()).toEqual([]);
  });

  it('move between replicas with each request, without copies while nobody is cut', async () => {
    const { id } = await begin(Buffer.alloc(0));
    for (let done = 0; done < content.length; done += 3_000_000) {
      const session = await claim(id, done % 2_000_000 === 0 ? two : one);
      expect(session.size).toBe(done);
      await session.append(content.subarray(done, done + 3_000_000));
      await session.checkpoint();
    }
    expect(await (await claim(id)).commit(digest)).toBe(content.length);
    expect(proxy.count(/^PUT .*partNumber=/)).toBe(4);
    await expectOnly(digest);
  });

  it('are taken from a replica that still appends, whose bytes do not count', async () => {
    const before = await begin(content.subarray(0, 12 * mebibyte));
    await before.checkpoint();
    await appendAll(before, sample(9 * mebibyte, 'late'));
    const after = await claim(before.id);
    expect(after.size).toBe(12 * mebibyte);
    await appendAll(before, sample(9 * mebibyte, 'later')).catch(() => undefined);
    await appendAll(after, content.subarray(12 * mebibyte));
    await expect(before.checkpoint()).rejects.toThrow();
    await before.release();
    expect(await after.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('go on after a replica has died while it committed', async () => {
    const before = await begin(content);
    await before.checkpoint();
    // The parts are an object then, and no copy of it follows.
    proxy.fate = (line) => (/^PUT .*blobs/.test(line) || line.startsWith('DELETE ') ? 500 : 'pass');
    await expect(before.commit(digest)).rejects.toMatchObject({ kind: 'failed' });
    proxy.fate = () => 'pass';
    const after = await claim(before.id);
    expect(after.size).toBe(content.length);
    expect(await after.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('end well at both of two replicas that commit them, also when one could not take the content into use', async () => {
    for (const bytes of [content, small]) {
      const before = await begin(bytes);
      await before.checkpoint();
      await expect(before.commit(Digest.of(bytes), () => Promise.reject(new Error('planned')))).rejects.toThrow(
        'planned',
      );
      expect(await (await claim(before.id)).commit(Digest.of(bytes))).toBe(bytes.length);
      const first = await begin(bytes);
      await first.checkpoint();
      const second = claim(first.id).then((claimed) => claimed.commit(Digest.of(bytes)));
      const outcomes = await Promise.allSettled([first.commit(Digest.of(bytes)), second]);
      // One of them may find that the other has ended the session.
      expect(outcomes).toContainEqual({ status: 'fulfilled', value: bytes.length });
    }
    await expectOnly(
      ...[digest, Digest.of(small)].sort((one, other) => keys.content(one).localeCompare(keys.content(other))),
    );
  });

  it('end when their bytes are lost, and leave nothing behind', async () => {
    const session = await begin(content);
    await session.checkpoint();
    await session.release();
    await (providers[0] as S3Provider).resumable.discard(session.id, '{"size":0}');
    expect(await two.claim(session.id)).toBeUndefined();
    await expectOnly();
  });

  it('are swept with parts and rests, also of a replica that still has them', async () => {
    const [held, released] = [await begin(content), await begin(small)];
    await held.checkpoint();
    await released.release();
    expect(await two.sweep(86_400_000)).toBe(0);
    expect(await two.sweep(-5_000)).toBe(2);
    await expect(held.append(small)).rejects.toBeInstanceOf(UploadLost);
    await expectOnly();
  });
});

describe('upload sessions in a bucket that fails', () => {
  const steps: Record<string, RegExp> = {
    'the record': /^PUT .*\/uploads\//,
    'a part': /^PUT .*partNumber=/,
    'the start of parts': /^POST .*uploads(=|$)/,
    'a rest': /^PUT .*\/ingest\/[^?]*-\d+(?:\?|$)/,
    'the end of parts': /^POST .*uploadId=/,
    'the copy to the content': /^PUT .*\/blobs\//,
  };
  const fates: Fate[] = [500, 'cut', 'lose'];
  const cases = Object.keys(steps).flatMap((step) => fates.map((fate) => [step, fate] as const));

  it.each(cases)('are whole when the first try of %s meets: %s', async (step, fate) => {
    proxy.fate = (line, count) => ((steps[step] as RegExp).test(line) && count === 1 ? fate : 'pass');
    const session = await begin(content);
    await session.checkpoint();
    expect(await session.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it.each(Object.keys(steps))('fail, and are whole when the client tries again, while %s fails', async (step) => {
    const first = await begin(content.subarray(0, 6 * mebibyte));
    await first.checkpoint();
    proxy.fate = (line) => ((steps[step] as RegExp).test(line) ? 500 : 'pass');
    const failing = (async () => {
      await appendAll(first, content.subarray(6 * mebibyte));
      await first.checkpoint();
      await first.commit(digest);
    })();
    await expect(
      step === 'the start of parts' ? begin(content).then((other) => other.checkpoint()) : failing,
    ).rejects.toMatchObject({ name: 'StorageError' });
    await failing.catch(() => undefined);
    await first.release();
    proxy.fate = () => 'pass';
    const again = (await two.claim(first.id)) ?? (await two.begin(repository));
    opened.push(again);
    await appendAll(again, content.subarray(again.size));
    expect(await again.commit(digest)).toBe(content.length);
    await two.sweep(-5_000);
    await expectOnly(digest);
  });
});
