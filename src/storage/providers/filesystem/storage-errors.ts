import { StorageError } from '../../storage-error.js';
import { errorCode } from './durable.js';

/** ENOTDIR, EISDIR, ELOOP: a file, folder or link stands where something else would; nothing of ours is there. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP']);
const full = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']);

/** The message names what was tried and the system's code; never a path, which clients must not see. */
export function toStorageError(error: unknown, attempt: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = errorCode(error) ?? 'unknown error';
  if (absent.has(code)) return new StorageError('not-found', 'there is no such object', error);
  return new StorageError(full.has(code) ? 'full' : 'failed', `the storage could not ${attempt} (${code})`, error);
}

/** The same for writing, where an absence is trouble as well: nobody may take it for an object that is not there. */
export function toWriteError(error: unknown, attempt: string): StorageError {
  const failure = toStorageError(error, attempt);
  if (failure.kind !== 'not-found') return failure;
  return new StorageError('failed', `the storage could not ${attempt} (${errorCode(error) ?? 'no folder'})`, error);
}
