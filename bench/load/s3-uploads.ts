import { fileURLToPath } from 'node:url';
import { runTask } from '../processes/task.js';
import type { BucketAddress } from '../s3/bucket.js';
import type { Scope } from '../scope.js';

export interface S3Uploads {
  readonly bucket: BucketAddress;
  /** What to fetch, and the key to put it under. */
  readonly objects: readonly { readonly from: string; readonly key: string }[];
  /** Bytes of each. */
  readonly size: number;
  /** In one request, or in parts of `partSize`, `partsInFlight` at one time. */
  readonly way: 'put' | 'multipart';
}

export interface S3UploadsReport {
  readonly seconds: number;
  readonly complaints: readonly string[];
}

/** As the mirror's own (s3.tuning.ts, upload.ts). */
export const partSize = 8 * 1024 * 1024;
export const partsInFlight = 2;

const program = fileURLToPath(new URL('./s3-uploads.child.ts', import.meta.url));

/** What the way to S3 costs without a registry: all objects at once, each streamed from where it is into the bucket. */
export function runS3Uploads(scope: Scope, job: S3Uploads): Promise<S3UploadsReport> {
  return runTask(scope, program, job);
}
