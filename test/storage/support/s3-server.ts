import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { S3Settings } from '../../../src/config/storage.settings.js';

export const accessKey = 'planted-access-key';
export const secretKey = 'planted-secret-key';

/** A bucket of a real server, and a client for tests to look into it. */
export class Bucket {
  readonly client: S3Client;

  private constructor(
    readonly host: string,
    readonly name: string,
  ) {
    this.client = new S3Client({
      endpoint: host,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  static async make(host: string): Promise<Bucket> {
    const bucket = new Bucket(host, `bucket-${randomBytes(6).toString('hex')}`);
    await bucket.client.send(new CreateBucketCommand({ Bucket: bucket.name }));
    return bucket;
  }

  /** Settings of the storage on this bucket, through another address if one is given. */
  settings(changes: Partial<S3Settings> = {}): S3Settings {
    const usual = { bucket: this.name, host: this.host, accessKey };
    return Object.assign(new S3Settings(), usual, { secretKey }, changes);
  }

  /** Every object, by its path in the bucket. */
  async paths(prefix = ''): Promise<string[]> {
    const paths: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.client.send(
        new ListObjectsV2Command({
          Bucket: this.name,
          Prefix: prefix,
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      );
      paths.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return paths;
  }

  /** Paths of multipart uploads that have neither been completed nor aborted. */
  async unfinished(prefix = ''): Promise<string[]> {
    const { Uploads = [] } = await this.client.send(
      new ListMultipartUploadsCommand({ Bucket: this.name, Prefix: prefix }),
    );
    return Uploads.map(({ Key = '' }) => Key);
  }

  close(): void {
    this.client.destroy();
  }
}
