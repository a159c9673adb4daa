import { describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { ContentStore } from '../stores/content.store.js';
import { SpaceLedger } from './space.ledger.js';

const content = Buffer.alloc(60_000, 'x');
const digest = Digest.of(content);

describe('content that is written beside other content', () => {
  const begin = async () => {
    const space = new SpaceLedger(100_000);
    const store = new ContentStore(new MemoryProvider(), undefined, space);
    return { space, store, first: await store.createIngest(digest), second: await store.createIngest(digest) };
  };

  it('is refused when all of it together is more than the quota', async () => {
    const { first, second } = await begin();
    await first.append(content);
    await second.append(content.subarray(0, 40_000));
    await expect(second.append(content.subarray(0, 1))).rejects.toMatchObject({ kind: 'full' });
    expect([first.size, second.size]).toEqual([60_000, 40_000]);
    await first.close();
    await second.append(content.subarray(0, 20_000));
    await second.close();
  });

  it('counts once when it is committed', async () => {
    const { space, store, first, second } = await begin();
    await first.append(content);
    await store.commit(first, digest);
    await first.close();
    expect(space.bytes).toBe(61_440);
    await second.append(content.subarray(0, 38_000));
    await expect(second.append(content.subarray(0, 1_000))).rejects.toMatchObject({ kind: 'full' });
    await second.abort();
    await second.close();
  });
});
