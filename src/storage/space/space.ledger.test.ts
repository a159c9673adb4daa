import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { openLedger } from './open-ledger.js';
import { keys } from '../keys.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { ContentStore } from '../stores/content.store.js';
import { SpaceLedger, spaceOf } from './space.ledger.js';
import { Digest } from '../../oci/digest.js';
import { TagStore } from '../stores/tag.store.js';
import { Namespace } from '../../oci/namespace.js';
import { Tag } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';

const block = 4096;

describe('SpaceLedger', () => {
  it('counts whole blocks, and never less than nothing', () => {
    expect([0, 1, block, block + 1].map(spaceOf)).toEqual([0, block, block, 2 * block]);
    const space = new SpaceLedger();
    space.add(1);
    space.remove(10 * block);
    expect([space.bytes, space.objects]).toEqual([0, 0]);
  });

  it('refuses what would go beyond the quota, and says that space is short', () => {
    const space = new SpaceLedger(10 * block);
    const pressed: string[] = [];
    space.onPressure = (pressure) => void pressed.push(pressure);
    space.add(8 * block);
    space.check(2 * block);
    expect(() => space.check(2 * block + 1)).toThrow('--max-size');
    expect(pressed).toEqual(['quota']);
    space.add(2 * block);
    expect(pressed).toEqual(['quota', 'near']);
    expect(() => space.check()).toThrow('--max-size');
  });

  it('does not clear the storage for what could never fit', () => {
    const space = new SpaceLedger(10 * block);
    space.onPressure = () => expect.unreachable();
    expect(() => space.check(11 * block)).toThrow('--max-size');
  });

  it('adds to a measurement what came while it was made', () => {
    const space = new SpaceLedger();
    space.add(block);
    const since = space.added;
    space.add(block);
    space.measure({ bytes: 100 * block, objects: 7, damaged: 2 }, since);
    expect([space.bytes, space.objects, space.damaged, space.isMeasured]).toEqual([101 * block, 7, 2, true]);
  });
});

describe('SpaceLedger beside a measurement', () => {
  it('counts content that is committed after the measurement looked where it is', () => {
    const space = new SpaceLedger();
    const settle = space.reserve(block);
    const since = space.added;
    // The walk ends before the content has its name.
    space.measure({ bytes: 5 * block, objects: 5, damaged: 0 }, since);
    expect([space.bytes, space.objects]).toEqual([6 * block, 6]);
    settle(true);
    expect([space.bytes, space.objects]).toEqual([6 * block, 6]);
  });

  it('counts content that was committed during the measurement', () => {
    const space = new SpaceLedger();
    const settle = space.reserve(block);
    const since = space.added;
    settle(true);
    space.measure({ bytes: 5 * block, objects: 5, damaged: 0 }, since);
    expect(space.bytes).toBe(6 * block);
  });

  it('does not count content whose commit failed', () => {
    const space = new SpaceLedger();
    const settle = space.reserve(block);
    settle(false);
    expect([space.bytes, space.objects, space.added]).toEqual([0, 0, 0]);
  });
});

describe('openLedger', () => {
  const withUsage = async (text: string) => {
    const provider = new MemoryProvider();
    await provider.write(keys.state('usage'), Buffer.from(text));
    return provider;
  };

  it('knows what was stored before the last stop', async () => {
    const space = await openLedger(await withUsage('{"version":1,"bytes":5,"objects":4,"damaged":3}'), 100_000);
    expect([space.bytes, space.objects, space.damaged, space.quota]).toEqual([5, 4, 3, 100_000]);
  });

  it.each(['{"version":1,"bytes":5', '{"version":1,"bytes":-5,"objects":4,"damaged":3}', '{"version":99}'])(
    'starts without it when the record is of no use: %s',
    async (text) => {
      const provider = await withUsage(text);
      const space = await openLedger(provider, undefined);
      expect([space.bytes, space.isMeasured, space.quota]).toEqual([0, false, undefined]);
      if (text.includes('99')) expect((await provider.read(keys.state('usage'), 100)).toString()).toBe(text);
    },
  );

  it('takes a part of a storage that knows its size, and refuses one of a storage that does not', async () => {
    class Sized extends MemoryProvider {
      override capacity = () => Promise.resolve(1_001) as never;
    }
    expect((await openLedger(new Sized(), { share: 0.5 })).quota).toBe(500);
    await expect(openLedger(new MemoryProvider(), { share: 0.5 })).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringMatching(/^--max-size: [^\n]+$/) as string,
    });
  });
});

describe('stores whose space is used up', () => {
  const digest = Digest.of(Buffer.from('content'));
  const repository = RepositoryRef.of(Namespace.parse('registry.test'), 'app');
  const record = { digest, mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 1, checkedAt: 1 };

  it('begin nothing, commit nothing, and replace records that are there', async () => {
    const provider = new MemoryProvider();
    const space = new SpaceLedger(10 * block);
    const [contents, tags] = [new ContentStore(provider, undefined, space), new TagStore(provider, undefined, space)];
    await tags.put(repository, Tag.parse('known'), record);
    const ingest = await contents.createIngest(digest, { size: 7 });
    await ingest.append(Buffer.from('content'));
    space.add(10 * block);
    await expect(contents.createIngest(digest, { size: 7 })).rejects.toMatchObject({ kind: 'full' });
    await expect(contents.commit(ingest, digest)).rejects.toMatchObject({ kind: 'full' });
    expect(await contents.findSize(digest)).toBeUndefined();
    await expect(tags.put(repository, Tag.parse('new'), record)).rejects.toMatchObject({ kind: 'full' });
    await tags.put(repository, Tag.parse('known'), { ...record, checkedAt: 2 });
    expect((await tags.find(repository, Tag.parse('known')))?.checkedAt).toBe(2);
  });
});

describe('openLedger', () => {
  class HugeDisk extends MemoryProvider {
    override capacity(): Promise<never> {
      return Promise.resolve((2 ** 63) as never);
    }
  }

  it('warns of a share of a disk that claims to have 8 EiB', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await openLedger(new HugeDisk(), { share: 0.8 });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('8388608 TiB'));
    warn.mockClear();
    await openLedger(new HugeDisk(), 1_000_000);
    expect(warn).not.toHaveBeenCalled();
  });
});
