import { describe, expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { manifestMediaTypes } from '../../../oci/media-type.js';
import { Namespace } from '../../../oci/namespace.js';
import { Tag } from '../../../oci/reference.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { MemoryProvider } from '../../providers/memory/memory.provider.js';
import { ContentStore } from '../content.store.js';
import { HotCache } from '../hot.cache.js';
import { CatalogStore } from './catalog.store.js';
import { HostedStore } from './hosted.store.js';
import { ReferrerStore } from './referrer.store.js';

const local = Namespace.parse('local');
const app = RepositoryRef.of(local, 'team/app');
const digest = Digest.of(Buffer.from('content'));

describe('records of what was pushed', () => {
  it('are not those of what was mirrored under the same name, and the other way round', async () => {
    const provider = new MemoryProvider();
    const [mirrored, hosted] = [new ContentStore(provider), new HostedStore(provider)];
    await mirrored.link(app, digest, { size: 7, isPrivate: false, agreedAt: 1 });
    expect(await hosted.findBlob(app, digest)).toBeUndefined();
    await hosted.putBlob(app, digest, { size: 7 });
    expect(await hosted.findBlob(app, digest)).toEqual({ size: 7 });
    expect(await mirrored.findLink(app, digest)).toBeUndefined();
    expect(await hosted.findBlob(app, digest)).toEqual({ size: 7 });
  });

  it('are read anew when another process may write them', async () => {
    const provider = new MemoryProvider();
    const [one, other] = [new HostedStore(provider), new HostedStore(provider)];
    const tag = { digest, mediaType: manifestMediaTypes.ociManifest, size: 7, pushedAt: 1 };
    await one.putTag(app, Tag.parse('v1'), tag);
    expect(await other.findTag(app, Tag.parse('v1'))).toMatchObject(tag);
    await one.removeTag(app, Tag.parse('v1'));
    expect(await other.findTag(app, Tag.parse('v1'))).toBeUndefined();
  });

  it('list tags in the order of their bytes, very long ones included', async () => {
    const store = new HostedStore(new MemoryProvider(), new HotCache(1_000_000));
    const names = ['latest', 'V1', 'v1', 'v_1', 'vA', '1.0', '_x', 'A'.repeat(128), `${'A'.repeat(100)}b`, 'Z'];
    for (const name of names)
      await store.putTag(app, Tag.parse(name), {
        digest,
        mediaType: manifestMediaTypes.ociManifest,
        size: 7,
        pushedAt: 1,
      });
    const sorted = [...names].sort();
    // What has been found is listed from memory, and the other way round.
    const long = Tag.parse('A'.repeat(128));
    expect((await store.findTag(app, long))?.digest).toEqual(digest);
    const list = async (after: string | undefined, limit: number) =>
      (await store.listTags(app, after === undefined ? undefined : Tag.parse(after), limit)).map(({ name }) => name);
    expect((await list(undefined, 100)).sort()).toEqual(sorted);
    expect(await list('V1', 3)).toEqual(['Z', '_x', 'latest']);
    expect(await list('m', 1)).toEqual(['v1']);
    expect((await store.findTag(app, long))?.digest).toEqual(digest);
  });
});

describe('the catalog', () => {
  it('lists the repositories of each namespace in order', async () => {
    const catalog = new CatalogStore(new MemoryProvider());
    const names = ['b', 'a/b', 'a', 'a-b', 'a.b', 'a_b', `${'x/'.repeat(126)}x`];
    for (const name of names) await catalog.add(RepositoryRef.of(local, name));
    await catalog.add(RepositoryRef.of(Namespace.parse('registry.test:5000'), 'other'));
    const sorted = [...names].sort();
    expect(await catalog.list(local, undefined, 100)).toEqual(sorted);
    expect(await catalog.list(local, 'a.b', 2)).toEqual(['a/b', 'a_b']);
    // What no name can be has a place in the order all the same.
    expect(await catalog.list(local, 'NOT A NAME', 2)).toEqual(sorted.slice(0, 2));
    expect(await catalog.list(local, 'zz NOT A NAME', 2)).toEqual([]);
    expect(await catalog.has(RepositoryRef.of(local, 'a/b'))).toBe(true);
    expect(await catalog.has(RepositoryRef.of(local, 'a/c'))).toBe(false);
    expect([...(await catalog.namespaces())].sort()).toEqual(['local', 'registry.test:5000']);
  });
});

describe('referrers', () => {
  it('are an object each, listed in a stable order', async () => {
    const store = new ReferrerStore(new MemoryProvider());
    const digests = Array.from({ length: 40 }, (_, index) => Digest.of(Buffer.from(`referrer ${index}`)));
    const referrer = { mediaType: 'a/b', size: 3, artifactType: 'c/d', annotations: { e: 'f' } };
    await Promise.all(digests.map((of) => store.put(app, digest, { digest: of, ...referrer })));
    const sorted = digests.map(String).sort();
    const listed = await store.list(app, digest, undefined, 100);
    expect(listed.map(String)).toEqual(sorted);
    expect((await store.list(app, digest, listed[9], 2)).map(String)).toEqual(sorted.slice(10, 12));
    expect(await store.read(app, digest, listed.slice(0, 1))).toEqual([{ digest: listed[0], ...referrer }]);
    await store.remove(app, digest, listed[0]!);
    expect(await store.list(app, digest, undefined, 100)).toHaveLength(39);
    expect(await store.read(app, digest, listed.slice(0, 1))).toEqual([]);
  });
});
