import { describe, expect, it } from 'vitest';
import { CountedProvider } from './counted.provider.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { StorageCounts } from './storage.counts.js';
import { StorageError } from '../storage-error.js';
import { providerContract } from '../testing/provider.contract.js';

describe('CountedProvider', () => {
  providerContract({ describe, it }, () => {
    const provider = new CountedProvider(new MemoryProvider(), new StorageCounts());
    return Promise.resolve({ provider, dispose: () => Promise.resolve() });
  });
});

describe('a counted provider', () => {
  it('counts operations, and failures but not missing objects', async () => {
    const counts = new StorageCounts();
    const provider = new CountedProvider(new MemoryProvider(), counts);
    await provider.write('a/b', Buffer.from('content'));
    await provider.read('a/b', 100);
    await expect(provider.read('a/absent', 100)).rejects.toThrow(StorageError);
    await expect(provider.read('a/b', 1)).rejects.toThrow(StorageError);
    const stored = await provider.open('a/b');
    const failure = new Error('the client has left');
    await expect(stored.copy({ offset: 0, length: 7 }, () => Promise.reject(failure))).rejects.toBe(failure);
    await stored.close();
    expect(counts.operations).toMatchObject({ write: 1, read: 3, open: 1, copy: 1, delete: 0 });
    expect(Object.values(counts.errors).every((count) => count === 0)).toBe(true);
    const ingest = await provider.createIngest();
    await ingest.append(Buffer.from('x'));
    await expect(ingest.commit('../outside')).rejects.toThrow(StorageError);
    await ingest.close();
    expect(counts.errors).toMatchObject({ commit: 1, append: 0 });
  });
});
