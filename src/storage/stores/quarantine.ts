import { keys } from '../keys.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/**
 * Moves an object that does not match its key to `damaged/`, where it can be inspected for a week, so that it is fetched
 * again. Deletes it when it cannot be moved.
 * @returns whether it is in `damaged/` now.
 */
export async function quarantine(provider: StorageProvider, key: string): Promise<boolean> {
  try {
    await provider.move(key, keys.damaged(key));
  } catch (error) {
    if (StorageError.isNotFound(error)) return false;
    await provider.delete(key);
    return false;
  }
  // The week begins now, whenever the object was last used. A failure only means earlier removal.
  await provider.touch(keys.damaged(key)).catch(() => undefined);
  return true;
}
