import { randomUUID } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  UploadPartCopyCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { StorageError } from '../../../storage-error.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import type { Uploads } from '../uploading/uploads.js';

/** Copies an object within the bucket, in parts when it is too large for one request. @param size in bytes */
export async function copyObject(
  connection: S3Connection,
  uploads: Uploads,
  from: string,
  to: string,
  size: number,
): Promise<void> {
  if (size > connection.tuning.largestCopy) return copyInParts(connection, uploads, from, to, size);
  const { transfers, bucket, tuning } = connection;
  const command = new CopyObjectCommand({ Bucket: bucket, Key: to, CopySource: sourceOf(bucket, from) });
  await withRetries(tuning, tuning.operationTimeout, undefined, ({ signal }) =>
    transfers.send(command, { abortSignal: signal }),
  );
}

async function copyInParts(
  connection: S3Connection,
  uploads: Uploads,
  from: string,
  to: string,
  size: number,
): Promise<void> {
  const { transfers, bucket, tuning } = connection;
  const UploadId = await uploads.begin(to, randomUUID());
  const where = { Bucket: bucket, Key: to, UploadId };
  try {
    const Parts: CompletedPart[] = [];
    for (let offset = 0; offset < size; offset += tuning.largestCopy) {
      const PartNumber = Parts.length + 1;
      const CopySourceRange = `bytes=${offset}-${Math.min(size, offset + tuning.largestCopy) - 1}`;
      const source = { CopySource: sourceOf(bucket, from), CopySourceRange };
      const command = new UploadPartCopyCommand({ ...where, ...source, PartNumber });
      const { CopyPartResult } = await withRetries(tuning, tuning.operationTimeout, undefined, ({ signal }) =>
        transfers.send(command, { abortSignal: signal }),
      );
      const ETag = CopyPartResult?.ETag;
      if (ETag === undefined) throw new StorageError('failed', 'the storage returned no ETag for a copied part');
      Parts.push({ PartNumber, ETag });
    }
    const command = new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } });
    await withRetries(tuning, tuning.operationTimeout, undefined, ({ signal }) =>
      transfers.send(command, { abortSignal: signal }),
    );
    uploads.forget(UploadId);
  } catch (error) {
    await uploads.abort(to, UploadId);
    throw error;
  }
}

/** Keys only have characters that need no escaping. */
function sourceOf(bucket: string, path: string): string {
  return `${bucket}/${path}`;
}
