import { keys } from './keys.js';
import { StorageError } from './storage-error.js';
import type { StorageProvider } from './storage.provider.js';

/** Free bytes of the upload buffer below which large layers are no longer stored. */
const lowBuffer = 64 * 2 ** 20;
const content = Buffer.from('{"version":1}');

/** Checks that the storage accepts writes by writing an object, and that there is room for what is to be uploaded. */
export class StorageProbe {
  constructor(private readonly provider: StorageProvider) {}

  /**
   * A full storage counts as usable, since pulls still pass through and eviction can free space.
   * @returns what keeps the storage from taking writes, and whether it can be used all the same; undefined if nothing does
   */
  async findFailure(): Promise<{ readonly reason: string; readonly isUsable: boolean } | undefined> {
    try {
      await this.provider.write(keys.probe, content);
      const buffer = await this.provider.bufferSpace?.();
      if (!buffer || buffer.free >= lowBuffer) return undefined;
      const free = Math.floor(buffer.free / 2 ** 20);
      return { reason: `the upload buffer in ${buffer.folder} has ${free} MiB left`, isUsable: true };
    } catch (error) {
      const isUsable = error instanceof StorageError && error.kind === 'full';
      return { reason: error instanceof Error ? error.message : 'unknown error', isUsable };
    }
  }
}
