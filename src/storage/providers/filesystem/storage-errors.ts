import { notFound, StorageError } from '../../storage-error.js';
import { errorCode } from './file-system.js';

/** ENOTDIR, EISDIR, ELOOP: something other than an object of ours has that path. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP']);
const full = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']);

/** The message names the attempt and the system's error code; never a path, since clients see it. */
export function toStorageError(error: unknown, attempt: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = errorCode(error) ?? 'unknown error';
  if (absent.has(code)) return notFound(error);
  return new StorageError(full.has(code) ? 'full' : 'failed', `the storage could not ${attempt} (${code})`, error);
}

/** As `toStorageError`, for writes: a missing folder is a failure and must not look like a missing object. */
export function toWriteError(error: unknown, attempt: string): StorageError {
  const failure = toStorageError(error, attempt);
  if (failure.kind !== 'not-found') return failure;
  return new StorageError('failed', `the storage could not ${attempt} (${errorCode(error) ?? 'no folder'})`, error);
}
