import { ListMultipartUploadsCommand, ListPartsCommand, type MultipartUpload } from '@aws-sdk/client-s3';
import type { KeySpace } from '../key-space.js';
import type { S3Connection } from '../s3.connection.js';
import { isRefused, statusOf, toStorageError } from '../s3-errors.js';
import { callOptions } from '../s3.tuning.js';
import type { Uploads } from './uploads.js';

/** Removes uploads of this program without a new part for `age` milliseconds; returns how many. */
export async function sweepUploads(
  connection: S3Connection,
  space: KeySpace,
  uploads: Uploads,
  age: number,
): Promise<number> {
  const oldest = Date.now() - age;
  let swept = 0;
  for await (const page of pages(connection, space.start)) {
    // Uploads that this process began during the request may be in the page.
    await uploads.settled();
    for (const { Key: path = '', UploadId: id = '', Initiated } of page) {
      if (uploads.isActive(id) || space.keyOf(path) === undefined) continue;
      if (Initiated === undefined || Initiated.getTime() > oldest) continue;
      // Another replica may have been uploading for longer than `age`.
      if ((await lastPartAt(connection, path, id)) > oldest) continue;
      await uploads.abort(path, id);
      swept += 1;
    }
  }
  return swept;
}

/** The unfinished uploads whose path begins with `start`, a page at a time. */
export async function* pages(connection: S3Connection, start: string): AsyncGenerator<MultipartUpload[]> {
  const { calls, bucket, tuning } = connection;
  let after: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (after) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: start,
      ...after,
    });
    const page = await calls.send(command, callOptions(tuning)).catch((error: unknown) => {
      throw toStorageError(error, 'list unfinished uploads');
    });
    yield page.Uploads ?? [];
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    after =
      IsTruncated === true && NextKeyMarker !== undefined
        ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }) }
        : undefined;
  }
}

/** Time of the newest part in milliseconds since 1970; 0 without parts, or when the upload has ended. */
async function lastPartAt(connection: S3Connection, path: string, id: string): Promise<number> {
  const { calls, bucket, tuning } = connection;
  let last = 0;
  let after: string | undefined;
  do {
    const marker = after === undefined ? {} : { PartNumberMarker: after };
    const command: ListPartsCommand = new ListPartsCommand({ Bucket: bucket, Key: path, UploadId: id, ...marker });
    const page = await calls.send(command, callOptions(tuning)).catch((error: unknown) => {
      if (isRefused(error) && statusOf(error) === 404) return undefined;
      throw toStorageError(error, 'list the parts of an unfinished upload');
    });
    for (const { LastModified } of page?.Parts ?? []) last = Math.max(last, LastModified?.getTime() ?? 0);
    after = page?.IsTruncated === true ? page.NextPartNumberMarker : undefined;
  } while (after !== undefined);
  return last;
}
