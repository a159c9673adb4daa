import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { S3Provider } from '../../../src/storage/providers/s3/s3.provider.js';
import { sweepUploads, type ClusterStorage } from '../../chaos/support/cluster-storage.js';
import { accessKey, secretKey, type Bucket } from './s3-server.js';

/** What a program needs in its environment to keep its content in the bucket. */
export const bucketEnv = (bucket: Bucket) => ({
  S3_HOST: bucket.host,
  S3_BUCKET: bucket.name,
  S3_ACCESS_KEY: accessKey,
  S3_SECRET_KEY: secretKey,
});

/** A new bucket of a server, for several programs. */
export async function sharedBucket(server: { makeBucket(): Promise<Bucket> }): Promise<ClusterStorage> {
  const bucket = await server.makeBucket();
  const { client, name: Bucket } = bucket;
  return {
    args: ['s3'],
    env: bucketEnv(bucket),
    // Marks of use are the provider's own, as ingests are on a disk.
    keys: async () => (await bucket.paths()).filter((path) => !path.startsWith('used/')),
    async read(key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: key }));
      if (!Body) throw new Error(`${key} has no body`);
      return Buffer.from(await Body.transformToByteArray());
    },
    async write(key, content) {
      await client.send(new PutObjectCommand({ Bucket, Key: key, Body: content }));
    },
    unfinished: async () => (await bucket.unfinished()).length,
    sweepUploads: () => sweepUploads(new S3Provider(bucket.settings())),
    [Symbol.asyncDispose]() {
      bucket.close();
      return Promise.resolve();
    },
  };
}
