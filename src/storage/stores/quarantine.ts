import type { Digest } from '../../oci/digest.js';
import { keys } from '../keys.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/**
 * Moves content that does not match its digest to `damaged/`, where it can be inspected for a week, so that it is fetched
 * again. Deletes it when it cannot be moved.
 * @returns whether it is in `damaged/` now.
 */
export async function quarantine(provider: StorageProvider, digest: Digest): Promise<boolean> {
  const key = keys.content(digest);
  await provider.delete(keys.origin(digest));
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
