import { describe, expect, it } from 'vitest';
import { MemoryProvider } from './providers/memory/memory.provider.js';
import { CountedProvider } from './space/counted.provider.js';
import { StorageCounts } from './space/storage.counts.js';
import { StorageProbe } from './storage.probe.js';
import type { BufferSpace } from './storage.provider.js';

class BufferingProvider extends MemoryProvider {
  free = 2 ** 30;

  override bufferSpace(): Promise<BufferSpace> {
    return Promise.resolve({ folder: '/buffer', free: this.free, total: 2 ** 30, isInMemory: false });
  }
}

describe('the probe of a storage with an upload buffer', () => {
  it('names a buffer that is almost full, with which pulls still work', async () => {
    const provider = new BufferingProvider();
    const probe = new StorageProbe(new CountedProvider(provider, new StorageCounts()));
    expect(await probe.findFailure()).toBeUndefined();
    provider.free = 12.5 * 2 ** 20;
    const reason = 'the upload buffer in /buffer has 12 MiB left';
    expect(await probe.findFailure()).toEqual({ reason, isUsable: true });
  });

  it('asks nothing of a storage that has none', async () => {
    const probe = new StorageProbe(new CountedProvider(new MemoryProvider(), new StorageCounts()));
    expect(await probe.findFailure()).toBeUndefined();
  });
});
