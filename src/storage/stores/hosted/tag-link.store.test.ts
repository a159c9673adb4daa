import { expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { manifestMediaTypes } from '../../../oci/media-type.js';
import { Tag } from '../../../oci/reference.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import { MemoryProvider } from '../../providers/memory/memory.provider.js';
import { HostedStore } from './hosted.store.js';
import { TagLinkStore } from './tag-link.store.js';

const app = RepositoryRef.parse('local/team/app');
const [one, two] = ['one', 'two'].map((text) => Digest.of(Buffer.from(text))) as [Digest, Digest];

/** A storage whose objects were written long ago, with a step of time for each write. */
class OldProvider extends MemoryProvider {
  readonly reads: string[] = [];
  private readonly written = new Map<string, Date>();
  private time = Date.now() - 86_400_000;

  override read(key: string, limit: number) {
    this.reads.push(key);
    return super.read(key, limit);
  }

  override async write(key: string, content: Uint8Array) {
    await super.write(key, content);
    this.written.set(key, new Date((this.time += 1_000)));
  }

  override async stat(key: string) {
    const entry = await super.stat(key);
    return { ...entry, usedAt: this.written.get(key) ?? entry.usedAt };
  }
}

it('tags are listed with what they name, and read again only when they have changed', async () => {
  const provider = new OldProvider();
  const store = new HostedStore(provider);
  const links = new TagLinkStore(provider);
  const put = (name: string, digest: Digest) =>
    store.putTag(app, Tag.parse(name), { digest, mediaType: manifestMediaTypes.ociManifest, size: 7, pushedAt: 5 });
  const list = async () => {
    provider.reads.length = 0;
    const found = new Map<string, string>();
    for await (const { tag, digest, pushedAt } of links.list(app)) {
      found.set(tag.name, digest.toString());
      expect(pushedAt).toBe(5);
    }
    return found;
  };
  const names = Array.from({ length: 100 }, (_, at) => `v${at}`);
  for (const name of [...names, 'A'.repeat(128)]) await put(name, one);
  expect((await list()).size).toBe(101);
  expect(provider.reads).toHaveLength(101);
  await put('v7', two);
  await store.removeTag(app, Tag.parse('v8'));
  const again = await list();
  expect([again.get('v7'), again.has('v8'), again.size]).toEqual([two.toString(), false, 100]);
  expect(provider.reads).toEqual([keys.hostedTag(app, Tag.parse('v7'))]);
});

it('a tag that was written just now is read each time: another write may have the same time', async () => {
  const provider = new MemoryProvider();
  const store = new HostedStore(provider);
  const links = new TagLinkStore(provider);
  const target = { mediaType: manifestMediaTypes.ociManifest, size: 7, pushedAt: 5 };
  for (const digest of [one, two]) {
    await store.putTag(app, Tag.parse('v1'), { digest, ...target });
    const found = [];
    for await (const link of links.list(app)) found.push(link.digest.toString());
    expect(found).toEqual([digest.toString()]);
  }
});
