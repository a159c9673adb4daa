import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { orAbsent } from '../../storage-error.js';
import type { S3Connection } from './s3.connection.js';
import { absence, attemptsOf, isAbsent, isConditionFailed, statusOf } from './s3-errors.js';

/** Metadata of an object that tells which write made it. */
export const nonceName = 'oci-registry-write';

/** Times that a write is tried again when others write or delete at the same moment, and S3 decides for none. */
const maxConflicts = 20;

export interface Head {
  readonly size: number;
  readonly usedAt: Date;
  /** Of the write that made the object; undefined when it was given none, or the server keeps no metadata. */
  readonly nonce: string | undefined;
}

/** @throws StorageError `not-found`; what the client throws. */
export async function headObject({ calls, bucket, tuning }: S3Connection, path: string): Promise<Head> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: path });
  try {
    const response = await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
    const { ContentLength = 0, LastModified = new Date(0), Metadata } = response;
    return { size: ContentLength, usedAt: LastModified, nonce: Metadata?.[nonceName] };
  } catch (error) {
    throw isAbsent(error, true) ? absence() : error;
  }
}

/**
 * Writes a small object. The client signs its content, so that a server refuses what was changed on the way. A server on
 * a file system conflicts with itself when the folder of the object is removed with its last other one; that passes.
 */
export async function putRecord(
  { calls, bucket, tuning }: S3Connection,
  path: string,
  content: Uint8Array,
): Promise<void> {
  for (let conflicts = 0; ; conflicts += 1) {
    const command = new PutObjectCommand({ Bucket: bucket, Key: path, Body: content });
    try {
      await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
      return;
    } catch (error) {
      if (statusOf(error) !== 409 || conflicts === maxConflicts) throw error;
    }
    await delay(randomInt(10, 100));
  }
}

/** @returns whether it was this call that made the object. */
export async function createRecord(connection: S3Connection, path: string, content: Uint8Array): Promise<boolean> {
  const { calls, bucket, tuning } = connection;
  const nonce = randomUUID();
  const target = { Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } };
  for (let conflicts = 0; ; conflicts += 1) {
    const command = new PutObjectCommand({ ...target, Body: content, IfNoneMatch: '*' });
    try {
      await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
      return true;
    } catch (error) {
      if (isConditionFailed(error)) {
        // The answer to the first try may have been lost, and the second found what the first had made.
        return (attemptsOf(error) > 1 || conflicts > 0) && (await isWrittenBy(connection, path, nonce));
      }
      if (statusOf(error) !== 409 || conflicts === maxConflicts) throw error;
    }
    await delay(randomInt(10, 100));
  }
}

/** Removes an object; an absent one is no error. */
export async function removeObject({ calls, bucket, tuning }: S3Connection, path: string): Promise<void> {
  const command = new DeleteObjectCommand({ Bucket: bucket, Key: path });
  try {
    await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** A URL that reads one object for `seconds`, with the rights of the access key. */
export function signedUrl({ calls, bucket }: S3Connection, path: string, seconds: number): Promise<string> {
  return getSignedUrl(calls, new GetObjectCommand({ Bucket: bucket, Key: path }), { expiresIn: seconds });
}

/** Whether the object under the path is there, and was made by the write with this nonce. */
export async function isWrittenBy(connection: S3Connection, path: string, nonce: string): Promise<boolean> {
  return (await orAbsent(headObject(connection, path)))?.nonce === nonce;
}
