import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { notFound, orAbsent } from '../../storage-error.js';
import type { S3Connection } from './s3.connection.js';
import { isAbsent, isConditionFailed, statusOf } from './s3-errors.js';
import { callOptions, idleTimeOf, type CallOptions, type S3Tuning } from './s3.tuning.js';
import { Watchdog } from './watchdog.js';

/** Object metadata that identifies the write that created it. */
export const nonceName = 'oci-registry-write';

/** Retries of a write that conflicts with concurrent writes or deletes. */
const maxConflicts = 20;

/** Largest object that is read with one request, in bytes. */
const maxWhole = 1024 * 1024;

export interface Head {
  readonly size: number;
  readonly usedAt: Date;
  /** Identifies the write that created the object; undefined when there was none or the server keeps no metadata. */
  readonly nonce: string | undefined;
}

/** @throws StorageError `not-found`; errors of the client. */
export async function headObject(connection: S3Connection, path: string): Promise<Head> {
  const { calls, callsHandler, bucket, tuning, circuit, direct } = connection;
  const options = callOptions(tuning);
  const found = await direct.send(callsHandler, { method: 'HEAD', path }, options.abortSignal, [200, 404]);
  if (found) circuit.succeed();
  if (found?.status === 404) throw notFound();
  const head = found && headOf(found.headers);
  if (head) return head;
  const command = new HeadObjectCommand({ Bucket: bucket, Key: path });
  try {
    const response = await calls.send(command, options);
    const { ContentLength = 0, LastModified = new Date(0), Metadata } = response;
    return { size: ContentLength, usedAt: LastModified, nonce: Metadata?.[nonceName] };
  } catch (error) {
    throw isAbsent(error, true) ? notFound() : error;
  }
}

/** Undefined for a response that says less than it should. */
function headOf(headers: Readonly<Record<string, string>>): Head | undefined {
  const size = Number(headers['content-length']);
  const usedAt = new Date(headers['last-modified'] ?? '');
  if (!Number.isSafeInteger(size) || Number.isNaN(usedAt.getTime())) return undefined;
  return { size, usedAt, nonce: headers[`x-amz-meta-${nonceName}`] };
}

/** Reads a small object with one request. @returns undefined when that is not possible. @throws StorageError `not-found` */
export async function readObject(
  { transfersHandler, circuit, direct, tuning }: S3Connection,
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const watchdog = new Watchdog(idleTimeOf(tuning), signal);
  try {
    const request = { method: 'GET', path, limit: Math.min(limit, maxWhole) } as const;
    const found = await direct.send(transfersHandler, request, watchdog.signal, [200, 404]);
    if (!found) return undefined;
    circuit.succeed();
    if (found.status === 200) return found.content;
    // Any proxy may send a bare 404.
    if (found.content?.includes('<Code>NoSuchKey</Code>') === true) throw notFound();
    return undefined;
  } finally {
    watchdog.stop();
  }
}

/** Writes a small object. The content is signed, so the server rejects changes on the way. */
export async function putRecord(connection: S3Connection, path: string, content: Uint8Array): Promise<void> {
  const { calls, callsHandler, bucket, tuning, direct } = connection;
  const request = { method: 'PUT', path, headers: putHeaders(content.length), body: content } as const;
  await withoutConflicts(tuning, async (options) => {
    if (await direct.send(callsHandler, request, options.abortSignal, [200])) return;
    const command = new PutObjectCommand({ Bucket: bucket, Key: path, Body: content });
    await calls.send(command, options);
  });
}

/** @returns whether this call created the object. */
export async function createRecord(connection: S3Connection, path: string, content: Uint8Array): Promise<boolean> {
  const { calls, callsHandler, bucket, tuning, direct } = connection;
  const nonce = randomUUID();
  const target = { Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } };
  const headers = { ...putHeaders(content.length, nonce), 'if-none-match': '*' };
  const request = { method: 'PUT', path, headers, body: content } as const;
  return withoutConflicts(tuning, async (options, conflicts) => {
    const first = conflicts === 0 ? [200, 412] : [200];
    const sent = await direct.send(callsHandler, request, options.abortSignal, first);
    if (sent) return sent.status === 200;
    const command = new PutObjectCommand({ ...target, Body: content, IfNoneMatch: '*' });
    try {
      await calls.send(command, options);
      return true;
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
      // If the response to an earlier attempt was lost, this attempt found the object that the earlier one had created.
      return isWrittenBy(connection, path, nonce);
    }
  });
}

/**
 * Retries a write that conflicts with a concurrent one. Servers based on a file system also report a conflict when the
 * folder of the object is removed at the same time.
 */
async function withoutConflicts<T>(
  tuning: S3Tuning,
  attempt: (options: CallOptions, conflicts: number) => Promise<T>,
): Promise<T> {
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      return await attempt(callOptions(tuning), conflicts);
    } catch (error) {
      if (statusOf(error) !== 409 || conflicts === maxConflicts) throw error;
    }
    await delay(randomInt(10, 100));
  }
}

/** Headers of a write. @param nonce identifies it */
export function putHeaders(size: number, nonce?: string): Record<string, string> {
  return {
    'content-length': String(size),
    'content-type': 'application/octet-stream',
    ...(nonce !== undefined && { [`x-amz-meta-${nonceName}`]: nonce }),
  };
}

/** Removes an object; a missing one is not an error. */
export async function removeObject(connection: S3Connection, path: string): Promise<void> {
  const { calls, callsHandler, bucket, tuning, direct } = connection;
  const options = callOptions(tuning);
  if (await direct.send(callsHandler, { method: 'DELETE', path }, options.abortSignal, [200, 204])) return;
  const command = new DeleteObjectCommand({ Bucket: bucket, Key: path });
  try {
    await calls.send(command, options);
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
