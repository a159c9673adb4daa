import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { providerContract } from '../../src/storage/testing/provider.contract.js';
import { Moto } from './support/moto.js';
import type { Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

/** Every case has a prefix of its own in one bucket, as mirrors that share one have. */
function contractOn(start: () => Promise<AsyncDisposable & { makeBucket(): Promise<Bucket> }>): void {
  let server: (AsyncDisposable & { makeBucket(): Promise<Bucket> }) | undefined;
  let bucket: Bucket;
  beforeAll(async () => {
    server = await start();
    bucket = await server.makeBucket();
  });
  afterAll(async () => {
    bucket.close();
    await server?.[Symbol.asyncDispose]();
  });

  providerContract({ describe, it }, () => {
    const prefix = `mirrors/${randomBytes(6).toString('hex')}`;
    const provider = new S3Provider(bucket.settings({ prefix, redirect: true }));
    const dispose = async () => {
      expect(await bucket.unfinished(prefix)).toEqual([]);
      expect(await bucket.paths(`${prefix}/probe`)).toEqual([]);
    };
    return Promise.resolve({ provider, dispose });
  });

  it('is exclusive, or the cases of create would be empty', async () => {
    const provider = new S3Provider(bucket.settings({ prefix: 'exclusive' }));
    await provider.initialize();
    expect(provider.isExclusive).toBe(true);
    await provider.close();
  });
}

describe('S3Provider on versitygw', () => contractOn(() => VersityGateway.start()));
describe('S3Provider on moto', () => contractOn(() => Moto.start()));
