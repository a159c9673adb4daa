import { StorageError } from '../../storage-error.js';
import { errorCode } from './durable.js';

const full = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']);

/** The message names what was tried and the system's code; never a path, which clients must not see. */
export function toStorageError(error: unknown, attempt: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = errorCode(error) ?? 'unknown error';
  // ENOTDIR and ELOOP: a foreign file or link stands where a folder or an object would; nothing of ours is there.
  if (code === 'ENOENT' || code === 'ENOTDIR') return new StorageError('not-found', 'there is no such object', error);
  return new StorageError(full.has(code) ? 'full' : 'failed', `the storage could not ${attempt} (${code})`, error);
}
