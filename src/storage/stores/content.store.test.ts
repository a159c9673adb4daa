import { beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { ContentStore } from './content.store.js';
import { keys } from '../keys.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { bytesOf, sample } from '../testing/content.js';

const layer = sample(5000);
const digest = Digest.of(layer);
const repository = RepositoryRef.of(Namespace.parse('docker.io'), 'library/busybox');
const other = RepositoryRef.of(Namespace.parse('docker.io'), 'library/alpine');

let provider: MemoryProvider;
let contents: ContentStore;

beforeEach(() => {
  provider = new MemoryProvider();
  contents = new ContentStore(provider);
});

async function store(): Promise<void> {
  const ingest = await contents.createIngest(digest);
  await ingest.append(layer);
  await contents.commit(ingest, digest);
  await ingest.close();
}

const permission = { isPrivate: false, agreedAt: 1_700_000_000_000 };

describe('ContentStore', () => {
  it('opens what was committed under its digest', async () => {
    await store();
    const object = await contents.open(digest);
    expect(object?.size).toBe(layer.length);
    expect(object && (await bytesOf(object, { offset: 0, length: layer.length }))).toEqual(layer);
    expect(await contents.findSize(digest)).toBe(layer.length);
  });

  it('has nothing before the commit', async () => {
    const ingest = await contents.createIngest(digest);
    await ingest.append(layer);
    expect(await contents.open(digest)).toBeUndefined();
    expect(await contents.findSize(digest)).toBeUndefined();
  });

  it('keeps content of the same hexadecimal start and of other algorithms apart', async () => {
    await store();
    expect(await contents.findSize(Digest.of(layer, 'sha512'))).toBeUndefined();
    expect(await contents.findSize(Digest.of(sample(1)))).toBeUndefined();
  });

  it('knows which repository contains a blob, and says so of no other', async () => {
    await store();
    expect(await contents.findLink(repository, digest)).toBeUndefined();
    await contents.link(repository, digest, { size: layer.length, ...permission });
    expect(await contents.findLink(repository, digest)).toEqual({ size: layer.length, ...permission });
    expect(await contents.findLink(other, digest)).toBeUndefined();
    expect(await contents.findLink(repository, Digest.of(sample(1)))).toBeUndefined();
  });

  it('keeps the record of a repository when the content is discarded', async () => {
    await store();
    await contents.link(repository, digest, { size: layer.length, ...permission });
    await contents.discard(digest);
    await contents.discard(digest);
    expect(await contents.open(digest)).toBeUndefined();
    expect(await contents.findLink(repository, digest)).toEqual({ size: layer.length, ...permission });
  });

  for (const size of ['-1', '1.5', '"5000"', 'null', '1e300']) {
    it(`takes a record with the size ${size} for damaged`, async () => {
      await provider.write(keys.blob(repository, digest), Buffer.from(`{"version":1,"size":${size}}`));
      expect(await contents.findLink(repository, digest)).toBeUndefined();
    });
  }
});
