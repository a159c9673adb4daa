import { StorageError } from '../../../storage-error.js';
import { toWriteError } from '../../filesystem/storage-errors.js';

/** A full temporary folder is a failure like any other: removing objects from the bucket would free nothing on this disk. */
export function toTemporaryError(error: unknown, attempt: string): StorageError {
  const failure = toWriteError(error, `${attempt} the temporary folder`);
  return failure.kind === 'full' ? new StorageError('failed', failure.message, error) : failure;
}
