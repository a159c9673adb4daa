import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { notFound, orAbsent } from '../../storage-error.js';
import type { S3Connection } from './s3.connection.js';
import { attemptsOf, isAbsent, isConditionFailed, statusOf } from './s3-errors.js';
import { callOptions } from './s3.tuning.js';

/** Object metadata that identifies the write that created it. */
export const nonceName = 'oci-registry-write';

/** Retries of a write that conflicts with concurrent writes or deletes. */
const maxConflicts = 20;

export interface Head {
  readonly size: number;
  readonly usedAt: Date;
  /** Identifies the write that created the object; undefined when there was none or the server keeps no metadata. */
  readonly nonce: string | undefined;
}

/** @throws StorageError `not-found`; errors of the client. */
export async function headObject({ calls, bucket, tuning }: S3Connection, path: string): Promise<Head> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: path });
  try {
    const response = await calls.send(command, callOptions(tuning));
    const { ContentLength = 0, LastModified = new Date(0), Metadata } = response;
    return { size: ContentLength, usedAt: LastModified, nonce: Metadata?.[nonceName] };
  } catch (error) {
    throw isAbsent(error, true) ? notFound() : error;
  }
}

/** Writes a small object. The client signs the content, so the server rejects changes on the way. */
export async function putRecord(
  { calls, bucket, tuning }: S3Connection,
  path: string,
  content: Uint8Array,
): Promise<void> {
  await withoutConflicts(async () => {
    const command = new PutObjectCommand({ Bucket: bucket, Key: path, Body: content });
    await calls.send(command, callOptions(tuning));
  });
}

/** @returns whether this call created the object. */
export async function createRecord(connection: S3Connection, path: string, content: Uint8Array): Promise<boolean> {
  const { calls, bucket, tuning } = connection;
  const nonce = randomUUID();
  const target = { Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } };
  return withoutConflicts(async (conflicts) => {
    const command = new PutObjectCommand({ ...target, Body: content, IfNoneMatch: '*' });
    try {
      await calls.send(command, callOptions(tuning));
      return true;
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
      // If the response to an earlier attempt was lost, this attempt found the object that the earlier one had created.
      return (attemptsOf(error) > 1 || conflicts > 0) && (await isWrittenBy(connection, path, nonce));
    }
  });
}

/**
 * Retries a write that conflicts with a concurrent one. Servers based on a file system also report a conflict when the
 * folder of the object is removed at the same time.
 */
async function withoutConflicts<T>(attempt: (conflicts: number) => Promise<T>): Promise<T> {
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      return await attempt(conflicts);
    } catch (error) {
      if (statusOf(error) !== 409 || conflicts === maxConflicts) throw error;
    }
    await delay(randomInt(10, 100));
  }
}

/** Removes an object; a missing one is not an error. */
export async function removeObject({ calls, bucket, tuning }: S3Connection, path: string): Promise<void> {
  const command = new DeleteObjectCommand({ Bucket: bucket, Key: path });
  try {
    await calls.send(command, callOptions(tuning));
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** A URL that allows reading one object for `seconds`, with the permissions of the access key. */
export function signedUrl({ calls, bucket }: S3Connection, path: string, seconds: number): Promise<string> {
  return getSignedUrl(calls, new GetObjectCommand({ Bucket: bucket, Key: path }), { expiresIn: seconds });
}

/** Whether the object exists and was created by the write with this nonce. */
export async function isWrittenBy(connection: S3Connection, path: string, nonce: string): Promise<boolean> {
  return (await orAbsent(headObject(connection, path)))?.nonce === nonce;
}
