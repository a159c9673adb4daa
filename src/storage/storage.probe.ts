import { keys } from './keys.js';
import { StorageError } from './storage-error.js';
import type { StorageProvider } from './storage.provider.js';

const content = Buffer.from('{"version":1}');

/** Checks that the storage accepts writes by writing an object. */
export class StorageProbe {
  constructor(private readonly provider: StorageProvider) {}

  /**
   * A full storage counts as usable, since pulls still pass through and eviction can free space.
   * @returns what keeps the storage from taking writes, and whether it can be used all the same; undefined if nothing does
   */
  async findFailure(): Promise<{ readonly reason: string; readonly isUsable: boolean } | undefined> {
    try {
      await this.provider.write(keys.probe, content);
      return undefined;
    } catch (error) {
      const isUsable = error instanceof StorageError && error.kind === 'full';
      return { reason: error instanceof Error ? error.message : 'unknown error', isUsable };
    }
  }
}
