import { beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { maxManifestBytes, parseManifest } from '../../oci/manifest.js';
import { manifestMediaTypes } from '../../oci/media-type.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import { ManifestStore } from './manifest.store.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { keysUnder, sample } from '../testing/content.js';

const repository = RepositoryRef.of(Namespace.parse('quay.io'), 'team/app');
const other = RepositoryRef.of(Namespace.parse('quay.io'), 'team/app2');
const subject = Digest.of(sample(1));
const document = (fields: object = {}) =>
  // The odd white space has to come back as it was.
  Buffer.from(`{ "schemaVersion":2,\n\n "config":{}, "layers":[ ],${JSON.stringify(fields).slice(1)}`);
const manifest = parseManifest(document({ a: 1 }), manifestMediaTypes.ociManifest, 'sha256');

let provider: MemoryProvider;
let manifests: ManifestStore;

beforeEach(() => {
  provider = new MemoryProvider();
  manifests = new ManifestStore(provider);
});

const permission = { isPrivate: false, agreedAt: 1_700_000_000_000 };

describe('ManifestStore', () => {
  it('gives the bytes back as they came, and the media type they came with', async () => {
    await manifests.put(repository, manifest, permission);
    expect(await manifests.findBody(manifest.digest)).toEqual(manifest.body);
    expect(await manifests.find(repository, manifest.digest)).toEqual({
      mediaType: manifestMediaTypes.ociManifest,
      size: manifest.body.length,
      ...permission,
    });
  });

  it('keeps the subject, also of a manifest named by sha512', async () => {
    const referrer = parseManifest(
      document({ subject: { digest: subject.toString() } }),
      manifestMediaTypes.ociManifest,
      'sha512',
    );
    await manifests.put(repository, referrer, permission);
    const record = await manifests.find(repository, referrer.digest);
    expect(record?.subject?.equals(subject)).toBe(true);
    expect(await manifests.findBody(referrer.digest)).toEqual(referrer.body);
  });

  it('says of no other repository that it contains the manifest', async () => {
    await manifests.put(repository, manifest, permission);
    expect(await manifests.find(other, manifest.digest)).toBeUndefined();
    expect(await manifests.find(repository, subject)).toBeUndefined();
  });

  it('has no body where nothing is stored', async () => {
    expect(await manifests.findBody(manifest.digest)).toBeUndefined();
  });

  it('writes the content before the record, so that a record never points to nothing', async () => {
    const written: string[] = [];
    class Watched extends MemoryProvider {
      override write(key: string, content: Uint8Array): Promise<void> {
        written.push(key);
        return super.write(key, content);
      }
    }
    await new ManifestStore(new Watched()).put(repository, manifest, permission);
    expect(written).toEqual([keys.content(manifest.digest), keys.manifest(repository, manifest.digest)]);
  });

  it('removes a stored body that does not match its digest, so that it is fetched again', async () => {
    await manifests.put(repository, manifest, permission);
    await provider.write(keys.content(manifest.digest), manifest.body.subarray(1));
    expect(await manifests.findBody(manifest.digest)).toBeUndefined();
    expect(await keysUnder(provider, 'blobs')).toEqual([]);
    await manifests.put(repository, manifest, permission);
    expect(await manifests.findBody(manifest.digest)).toEqual(manifest.body);
  });

  it('finds no manifest in content that is too large for one, and leaves it: it may be a layer', async () => {
    const layer = sample(maxManifestBytes + 1);
    const digest = Digest.of(layer);
    await provider.write(keys.content(digest), layer);
    expect(await manifests.findBody(digest)).toBeUndefined();
    expect(await keysUnder(provider, 'blobs')).toEqual([keys.content(digest)]);
  });

  const damaged = {
    'no media type': { size: 1 },
    'a media type of no manifest': { mediaType: 'text/html', size: 1 },
    'no size': { mediaType: manifestMediaTypes.ociIndex },
    'a size that is no whole number': { mediaType: manifestMediaTypes.ociIndex, size: 1.5 },
    'a negative size': { mediaType: manifestMediaTypes.ociIndex, size: -1 },
  };
  for (const [what, fields] of Object.entries(damaged)) {
    it(`sets a record with ${what} aside`, async () => {
      const key = keys.manifest(repository, manifest.digest);
      await provider.write(key, Buffer.from(JSON.stringify({ version: 1, ...fields })));
      expect(await manifests.find(repository, manifest.digest)).toBeUndefined();
      expect(await keysUnder(provider, 'damaged')).toEqual([keys.damaged(key)]);
    });
  }
});
