import { keys } from './keys.js';
import { StorageError } from './storage-error.js';
import type { StorageProvider } from './storage.provider.js';

const content = Buffer.from('{"version":1}');

/** Finds out whether the storage takes writes, by one. */
export class StorageProbe {
  constructor(private readonly provider: StorageProvider) {}

  /**
   * A full storage counts as usable: pulls pass through, and eviction, or its owner, makes room.
   * @returns what is wrong, or undefined.
   */
  async findFailure(): Promise<string | undefined> {
    try {
      await this.provider.write(keys.probe, content);
      return undefined;
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'full') return undefined;
      return error instanceof Error ? error.message : 'unknown error';
    }
  }
}
