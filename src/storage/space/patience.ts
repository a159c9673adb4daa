import { StorageError } from '../storage-error.js';

/** Milliseconds for finding something: the response that waits for it is late after 25 s, and would blame the upstream. */
const patience = 22_000;

/**
 * The value, unless the storage needs too long for it.
 * @param release closes a value that comes later.
 * @throws StorageError `failed`
 */
export async function inTime<T>(value: Promise<T>, release?: (late: T) => Promise<void>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new StorageError('failed', `the storage did not respond within ${patience / 1000} s`));
      // Nobody waits for it any more, nor for its failure.
      if (release) value.then(release).catch(() => undefined);
    }, patience);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
