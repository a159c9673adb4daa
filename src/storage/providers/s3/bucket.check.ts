import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { mayExpectTls } from '../../../config/transport/tls-failure.js';
import type { S3Settings } from '../../../config/storage.settings.js';
import { StorageError } from '../../storage-error.js';
import type { KeySpace } from './key-space.js';
import type { S3Connection } from './s3.connection.js';
import { bareCause, codeOf, isConditionFailed, isTimeout, schemeHint, statusOf, tlsReasonOf } from './s3-errors.js';
import { callOptions } from './s3.tuning.js';

const unknownKey = new Set(['InvalidAccessKeyId', 'XAdminUserNotFound', 'InvalidClientTokenId']);
const wrongRegion = new Set(['AuthorizationHeaderMalformed', 'PermanentRedirect', 'IncorrectEndpoint']);
const expired = new Set(['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired']);

/**
 * Tests listing, writing and deleting in the bucket.
 * @returns whether the bucket honours `If-None-Match`; servers that do not support it overwrite silently.
 * @throws StorageError with one line that names the problem.
 */
export async function checkBucket(connection: S3Connection, space: KeySpace, settings: S3Settings): Promise<boolean> {
  const { calls, bucket, tuning } = connection;
  const probe = { Bucket: bucket, Key: space.pathOf(`probe/${randomUUID()}`) };
  const attempt = async <T>(what: string, action: Promise<T>): Promise<T> => {
    const began = performance.now();
    try {
      return await action;
    } catch (error) {
      const waited = Math.round((performance.now() - began) / 1000);
      throw new StorageError('failed', reasonOf(error, what, settings, waited), bareCause(error));
    }
  };
  const create = () => new PutObjectCommand({ ...probe, Body: Buffer.from('probe'), IfNoneMatch: '*' });
  const list = new ListObjectsV2Command({ Bucket: bucket, Prefix: space.start, MaxKeys: 1 });
  await attempt('list', calls.send(list, callOptions(tuning)));
  await attempt(
    'write to',
    calls.send(new PutObjectCommand({ ...probe, Body: Buffer.from('probe') }), callOptions(tuning)),
  );
  try {
    // This request must fail: the object exists.
    await calls.send(create(), callOptions(tuning));
    return false;
  } catch (error) {
    return isConditionFailed(error);
  } finally {
    await attempt('delete from', calls.send(new DeleteObjectCommand(probe), callOptions(tuning)));
  }
}

function reasonOf(error: unknown, what: string, { bucket, host, region }: S3Settings, waited: number): string {
  const code = codeOf(error);
  const server = host === undefined ? 'Amazon S3' : new URL(host).host;
  const cannot = `cannot ${what} the bucket ${bucket}`;
  if (code === 'NoSuchBucket') return `${cannot}: ${server} has no such bucket (${code})`;
  if (unknownKey.has(code)) return `${cannot}: ${server} does not know the access key (${code})`;
  if (code === 'SignatureDoesNotMatch') return `${cannot}: the secret key does not match the access key (${code})`;
  if (expired.has(code)) return `${cannot}: the credentials have expired (${code})`;
  if (wrongRegion.has(code)) return `${cannot}: it is in another region than ${region} (${code})`;
  if (code === 'CredentialsProviderError') return `${cannot}: no access key was given, and none was found (${code})`;
  if (statusOf(error) === 403) return `${cannot}: the access key does not have permission (${code})`;
  const tlsReason = tlsReasonOf(error);
  if (tlsReason !== undefined) return `${cannot} at ${server}: ${tlsReason}`;
  const hint = host !== undefined && mayBeOtherScheme(error, host) ? `; ${schemeHint(host)}` : '';
  if (isTimeout(error)) return `${cannot}: ${server} did not respond within ${waited} s${hint}`;
  if (statusOf(error) === undefined) return `${cannot}: ${server} cannot be reached (${code})${hint}`;
  return `${cannot}: ${server} refused the request (${code})${hint}`;
}

/** A server may wait for more of a handshake that it does not understand; one that expects TLS responds 400 or hangs up. */
function mayBeOtherScheme(error: unknown, host: string): boolean {
  if (host.startsWith('https://')) return isTimeout(error);
  return statusOf(error) === 400 || mayExpectTls(error);
}
