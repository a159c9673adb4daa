import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import type { Bucket } from './support/s3-server.js';
import { gatewayForProviders } from './support/versitygw.js';

const key = 'blobs/sha256/ab/abcd';
const content = Buffer.from('a record');
/** What the library adds to addresses. */
const byLibrary = /x-id=/;

const server = gatewayForProviders();
let bucket: Bucket;
let proxy: FaultyProxy;
let provider: S3Provider;

beforeEach(async () => {
  bucket = await server().makeBucket();
  proxy = await FaultyProxy.start(server().url);
  provider = await open();
});

afterEach(async () => {
  await provider.close();
  await proxy[Symbol.asyncDispose]();
  bucket.close();
});

async function open(prefix?: string): Promise<S3Provider> {
  const opened = new S3Provider(bucket.settings({ host: proxy.url, ...(prefix !== undefined && { prefix }) }), {
    requestTimeout: 8_000,
    retryDelay: 20,
    minOutage: Infinity,
    silence: Infinity,
  });
  await opened.initialize();
  proxy.requests.length = 0;
  return opened;
}

async function store(ingestKey: string): Promise<void> {
  const ingest = await provider.createIngest({ key: ingestKey });
  await ingest.append(content);
  await ingest.commit(ingestKey);
  await ingest.close();
}

const actions: Record<string, () => Promise<unknown>> = {
  write: () => provider.write(key, content),
  create: () => provider.create(key, content),
  read: () => provider.read(key, 100),
  stat: () => provider.stat(key),
  delete: () => provider.delete(key),
  commit: () => store(key),
};

it('sends simple requests without the library, one for each', async () => {
  for (const action of ['create', 'write', 'read', 'stat', 'commit', 'delete']) await actions[action]!();
  const path = `/${bucket.name}/${key}`;
  const marker = `/${bucket.name}/used/${key}`;
  expect([...proxy.requests].sort()).toEqual(
    [
      ...[`PUT ${path}`, `PUT ${path}`, `GET ${path}`, `HEAD ${path}`],
      ...[`PUT ${path}`, `HEAD ${path}`, `DELETE ${path}`, `DELETE ${marker}`],
    ].sort(),
  );
});

describe.each([500, 503, 403, 'cut', 'lose'] satisfies Fate[])('a first attempt that meets %s', (fate) => {
  it.each(Object.keys(actions))('is repeated by the library: %s', async (name) => {
    if (name !== 'create') await provider.write(key, content);
    const path = new RegExp(`^(?!.*x-id)[A-Z]+ /${bucket.name}/${key}$`);
    let isFirst = true;
    proxy.fate = (line) => {
      if (!isFirst || !path.test(line)) return 'pass';
      isFirst = false;
      return fate;
    };
    const done = await actions[name]!();
    if (name === 'create') expect(done).toBe(true);
    if (name === 'read') expect(done).toEqual(content);
    if (name === 'stat') expect(done).toMatchObject({ size: content.length });
    if (name === 'delete') await expect(provider.stat(key)).rejects.toMatchObject({ kind: 'not-found' });
    else expect(await provider.read(key, 100)).toEqual(content);
  });
});

it('keeps the connections of a burst for the next one', async () => {
  await provider.write(key, content);
  const burst = () => Promise.all(Array.from({ length: 100 }, () => provider.stat(key)));
  await burst();
  const { connections } = proxy;
  await burst();
  expect(proxy.connections - connections).toBeLessThanOrEqual(5);
});

it('leaves keys to the library that have to be escaped', async () => {
  await using escaped = { provider: await open('a folder+'), [Symbol.asyncDispose]: () => escaped.provider.close() };
  await escaped.provider.write(key, content);
  expect(await escaped.provider.read(key, 100)).toEqual(content);
  expect(proxy.requests).toHaveLength(2);
  expect(proxy.requests.every((line) => byLibrary.test(line))).toBe(true);
});

it('tells content that is too large from content that is not there', async () => {
  await provider.write(key, content);
  const kindOf = (reading: Promise<Buffer>) => reading.catch((error: unknown) => (error as StorageError).kind);
  expect(await kindOf(provider.read(key, content.length - 1))).toBe('too-large');
  expect(await kindOf(provider.read(`${key}ef`, 100))).toBe('not-found');
  proxy.fate = () => 404;
  expect(await kindOf(provider.read(key, 100))).toBe('failed');
});
