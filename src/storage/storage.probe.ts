import { keys } from './keys.js';
import { StorageError } from './storage-error.js';
import type { StorageProvider } from './storage.provider.js';

const content = Buffer.from('{"version":1}');

/** Checks that the storage accepts writes by writing an object. */
export class StorageProbe {
  constructor(private readonly provider: StorageProvider) {}

  /**
   * A full storage counts as usable, since pulls still pass through and eviction can free space.
   * @returns the failure, or undefined.
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
