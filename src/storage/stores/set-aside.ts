import { keys } from '../keys.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/**
 * Takes an object away that is not what its key says, so that it is fetched anew: to `damaged/`, where a person can look
 * at it for a week, or for good when there is no place for it.
 * @returns whether it is in `damaged/` now.
 */
export async function setAside(provider: StorageProvider, key: string): Promise<boolean> {
  try {
    await provider.move(key, keys.damaged(key));
  } catch (error) {
    if (StorageError.isNotFound(error)) return false;
    await provider.delete(key);
    return false;
  }
  // Its week begins now, however long ago it was used. Without this it is only removed earlier.
  await provider.touch(keys.damaged(key)).catch(() => undefined);
  return true;
}
