import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  NotFound,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';

export const accessKey = 'benchmark';
export const secretKey = 'benchmark-secret';
export const region = 'us-east-1';

/** Where a bucket is, in words that another process understands. */
export interface BucketAddress {
  readonly endpoint: string;
  readonly name: string;
}

/** A client with the settings that the mirror gives its own (s3.connection.ts). */
export function s3Client(endpoint: string): S3Client {
  // The mirror's command line sets it too: the client would print how long it supports this Node.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const agent = { keepAlive: true, maxSockets: 1024 };
  const settings: S3ClientConfig = {
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpAgent: agent, requestTimeout: 0 }),
  };
  return new S3Client(settings);
}

export class Bucket implements BucketAddress {
  readonly #client: S3Client;

  private constructor(
    readonly endpoint: string,
    readonly name: string,
    client: S3Client,
  ) {
    this.#client = client;
  }

  static async create(client: S3Client, endpoint: string, name: string): Promise<Bucket> {
    await client.send(new CreateBucketCommand({ Bucket: name }));
    return new Bucket(endpoint, name, client);
  }

  /** Bytes of an object; undefined when there is none. */
  async sizeOf(key: string): Promise<number | undefined> {
    try {
      return (await this.#client.send(new HeadObjectCommand({ Bucket: this.name, Key: key }))).ContentLength;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#client.send(new DeleteObjectCommand({ Bucket: this.name, Key: key }));
  }
}
