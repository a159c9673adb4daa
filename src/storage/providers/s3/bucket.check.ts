import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../../config/storage.settings.js';
import { StorageError } from '../../storage-error.js';
import type { KeySpace } from './key-space.js';
import type { S3Connection } from './s3.connection.js';
import { bareCause, codeOf, isConditionFailed, statusOf } from './s3-errors.js';

const unknownKey = new Set(['InvalidAccessKeyId', 'XAdminUserNotFound', 'InvalidClientTokenId']);
const wrongRegion = new Set(['AuthorizationHeaderMalformed', 'PermanentRedirect', 'IncorrectEndpoint']);
const expired = new Set(['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired']);

/**
 * Lists, writes and deletes in the bucket, as everything that follows will.
 * @returns whether the bucket obeys `If-None-Match`: servers that do not know it overwrite, and say nothing.
 * @throws StorageError one line for each thing that can be wrong.
 */
export async function checkBucket(connection: S3Connection, space: KeySpace, settings: S3Settings): Promise<boolean> {
  const { calls, bucket, tuning } = connection;
  const probe = { Bucket: bucket, Key: space.pathOf(`probe/${randomUUID()}`) };
  const within = () => ({ abortSignal: AbortSignal.timeout(tuning.deadline) });
  const attempt = async <T>(what: string, action: Promise<T>): Promise<T> => {
    try {
      return await action;
    } catch (error) {
      throw new StorageError('failed', reasonOf(error, what, settings), bareCause(error));
    }
  };
  const create = () => new PutObjectCommand({ ...probe, Body: Buffer.from('probe'), IfNoneMatch: '*' });
  const list = new ListObjectsV2Command({ Bucket: bucket, Prefix: space.start, MaxKeys: 1 });
  await attempt('list', calls.send(list, within()));
  await attempt('write to', calls.send(new PutObjectCommand({ ...probe, Body: Buffer.from('probe') }), within()));
  try {
    // HEAD cannot tell a refusal from a condition: this is the one request that is meant to fail.
    await calls.send(create(), within());
    return false;
  } catch (error) {
    return isConditionFailed(error);
  } finally {
    await attempt('delete from', calls.send(new DeleteObjectCommand(probe), within()));
  }
}

function reasonOf(error: unknown, what: string, { bucket, host, region }: S3Settings): string {
  const code = codeOf(error);
  const server = host === undefined ? 'Amazon S3' : new URL(host).host;
  const cannot = `cannot ${what} the bucket ${bucket}`;
  if (code === 'NoSuchBucket') return `${cannot}: ${server} has no such bucket (${code})`;
  if (unknownKey.has(code)) return `${cannot}: ${server} does not know the access key (${code})`;
  if (code === 'SignatureDoesNotMatch') return `${cannot}: the secret key is not that of the access key (${code})`;
  if (expired.has(code)) return `${cannot}: the credentials have expired (${code})`;
  if (wrongRegion.has(code)) return `${cannot}: it is in another region than ${region} (${code})`;
  if (code === 'CredentialsProviderError') return `${cannot}: no access key was given, and none was found (${code})`;
  if (statusOf(error) === 403) return `${cannot}: the access key is not permitted to (${code})`;
  if (statusOf(error) === undefined) return `${cannot}: ${server} cannot be reached (${code})`;
  return `${cannot}: ${server} refuses (${code})`;
}
