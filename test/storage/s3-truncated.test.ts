import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { keys } from '../../src/storage/keys.js';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import type { Ingest } from '../../src/storage/storage.provider.js';
import { sample } from '../../src/storage/testing/content.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { VersityGateway } from './support/versitygw.js';

const content = sample(300_000);
const key = keys.content(Digest.of(content));

let server: VersityGateway;
beforeAll(async () => void (server = await VersityGateway.start()));
afterAll(() => server[Symbol.asyncDispose]());

const ingests: [string, (provider: S3Provider) => Promise<Ingest>][] = [
  ['a download', (provider) => provider.createIngest({ key, size: content.length })],
  ['an upload session', (provider) => provider.resumable.begin('0'.repeat(32))],
];

// versitygw stores what it has received when the client ends the connection.
describe.each(ingests)('content of %s whose process is killed while it is sent', (_name, begin) => {
  it('is not stored in part, and what the bucket has of it stays', { timeout: 60_000 }, async () => {
    const bucket = await server.makeBucket();
    await using proxy = await FaultyProxy.start(server.url);
    const tuning = { idleTimeout: 500, requestTimeout: 1_000, retryDelay: 20, minOutage: Infinity };
    const provider = new S3Provider(bucket.settings({ host: proxy.url }), tuning);
    await provider.initialize();
    const commit = async () => {
      const ingest = await begin(provider);
      try {
        await ingest.append(content);
        await ingest.commit(key);
      } finally {
        await ingest.close();
      }
    };
    try {
      proxy.fate = (request) => (/^PUT .*blobs\//.test(request) ? 'short' : 'pass');
      await expect(commit()).rejects.toMatchObject({ name: 'StorageError' });
      expect(await bucket.paths('blobs/')).toEqual([]);
      proxy.fate = () => 'pass';
      await commit();
      proxy.fate = (request) => (/^PUT .*blobs\//.test(request) ? 'short' : 'pass');
      await expect(commit()).rejects.toMatchObject({ name: 'StorageError' });
      expect((await provider.read(key, content.length + 1)).equals(content)).toBe(true);
    } finally {
      await provider.close();
      bucket.close();
    }
  });
});
