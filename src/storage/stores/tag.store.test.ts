import { beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { manifestMediaTypes } from '../../oci/media-type.js';
import { Namespace } from '../../oci/namespace.js';
import { Tag } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { TagStore, type TagRecord } from './tag.store.js';
import { keysUnder, sample } from '../testing/content.js';

const repository = RepositoryRef.of(Namespace.parse('ghcr.io'), 'team/app');
const latest = Tag.parse('latest');
const record: TagRecord = {
  digest: Digest.of(sample(10)),
  mediaType: manifestMediaTypes.ociIndex,
  size: 10,
  checkedAt: 1_700_000_000_000,
};

let provider: MemoryProvider;
let tags: TagStore;

beforeEach(() => {
  provider = new MemoryProvider();
  tags = new TagStore(provider);
});

describe('TagStore', () => {
  it('finds what the tag pointed to', async () => {
    await tags.put(repository, latest, record);
    expect(await tags.find(repository, latest)).toEqual(record);
    expect((await tags.find(repository, latest))?.digest).toBeInstanceOf(Digest);
  });

  it('finds nothing of other tags, other spellings and other repositories', async () => {
    await tags.put(repository, latest, record);
    expect(await tags.find(repository, Tag.parse('Latest'))).toBeUndefined();
    expect(await tags.find(repository, Tag.parse('latest2'))).toBeUndefined();
    expect(await tags.find(RepositoryRef.of(Namespace.parse('ghcr.io'), 'team'), latest)).toBeUndefined();
    expect(await tags.find(RepositoryRef.of(Namespace.parse('ghcr.io:5000'), 'team/app'), latest)).toBeUndefined();
  });

  it('moves a tag', async () => {
    const moved = { ...record, digest: Digest.of(sample(11), 'sha512'), size: 11, checkedAt: record.checkedAt + 1 };
    await tags.put(repository, latest, record);
    await tags.put(repository, latest, moved);
    expect(await tags.find(repository, latest)).toEqual(moved);
  });

  it('finds again what another replica has written, past what is in memory', async () => {
    const remembering = new TagStore(provider, new HotCache(10_000));
    await remembering.put(repository, latest, record);
    await remembering.find(repository, latest);
    const confirmed = { ...record, checkedAt: record.checkedAt + 1 };
    await tags.put(repository, latest, confirmed);
    expect(await remembering.find(repository, latest)).toEqual(record);
    expect(await remembering.reread(repository, latest)).toEqual(confirmed);
    expect(await remembering.find(repository, latest)).toEqual(confirmed);
  });

  it('keeps the longest tags of capital letters apart', async () => {
    const [one, two] = [Tag.parse('A'.repeat(128)), Tag.parse(`${'A'.repeat(127)}B`)];
    await tags.put(repository, one, record);
    expect(await tags.find(repository, one)).toEqual(record);
    expect(await tags.find(repository, two)).toBeUndefined();
  });

  const damaged = {
    'of another tag': { tag: 'other' },
    'with a digest that is none': { digest: 'sha256:abc' },
    'without a digest': { digest: undefined },
    'with a media type of no manifest': { mediaType: 'application/octet-stream' },
    'without a size': { size: undefined },
    'with a negative size': { size: -5 },
    'without a time': { checkedAt: undefined },
    'with a time that is text': { checkedAt: '2024-01-01' },
  };
  for (const [what, fields] of Object.entries(damaged)) {
    it(`sets a record ${what} aside`, async () => {
      const content = JSON.stringify({ version: 1, tag: 'latest', ...record, ...fields });
      await provider.write(keys.tag(repository, latest), Buffer.from(content));
      expect(await tags.find(repository, latest)).toBeUndefined();
      expect(await keysUnder(provider, 'damaged')).toEqual([keys.damaged(keys.tag(repository, latest))]);
    });
  }
});
