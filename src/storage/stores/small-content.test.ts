import { describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { ContentStore } from './content.store.js';
import { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';

const stored = async (content: Buffer, digest = Digest.of(content)) => {
  const provider = new MemoryProvider();
  await provider.write(keys.content(digest), content);
  const hot = new HotCache(1_000_000);
  return { provider, hot, store: new ContentStore(provider, hot), digest };
};

describe('small content', () => {
  it('is served from memory once it was read', async () => {
    const content = Buffer.from('configuration');
    const { provider, store, digest } = await stored(content);
    expect(await store.findSmall(digest, content.length)).toEqual(content);
    await provider.delete(keys.content(digest));
    expect(await store.findSmall(digest, content.length)).toEqual(content);
  });

  it('is removed instead of served when it is damaged', async () => {
    const digest = Digest.of(Buffer.from('configuration'));
    const { provider, store } = await stored(Buffer.from('configuratioN'), digest);
    expect(await store.findSmall(digest, 13)).toBeUndefined();
    await expect(provider.stat(keys.content(digest))).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('is no longer served from memory when it was discarded', async () => {
    const content = Buffer.from('configuration');
    const { store, digest } = await stored(content);
    await store.findSmall(digest, content.length);
    await store.discard(digest);
    expect(await store.findSmall(digest, content.length)).toBeUndefined();
  });

  it('is not what is larger than 64 KiB', async () => {
    const content = Buffer.alloc(64 * 1024 + 1);
    const { store, hot, digest } = await stored(content);
    expect(await store.findSmall(digest, content.length)).toBeUndefined();
    expect(hot.size).toBe(0);
  });
});
