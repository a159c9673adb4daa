import { describe, expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import {
  app,
  descriptor,
  digestOf,
  empty,
  HostedRegistry,
  image,
  index,
  refusal,
  requestOf,
  tag,
} from './support/registry.js';

const imageType = manifestMediaTypes.ociManifest;

describe('a pushed manifest', () => {
  it('is served as it was pushed, by digest and by each of its tags', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushBlob(empty);
    await registry.pushBlob('layer');
    const body = image(['layer'], { 'x-custom': { a: [1] } });
    const digest = digestOf(body);
    const result = await registry.put('v1', body, { contentType: imageType, tags: [tag('v2'), tag('v1'), tag('v3')] });
    expect(result).toEqual({
      digest,
      mediaType: imageType,
      size: body.length,
      tags: [tag('v1'), tag('v2'), tag('v3')],
      isNew: true,
    });
    for (const reference of ['v1', 'v2', 'v3', digest]) {
      const found = await registry.get(reference);
      expect(found).toMatchObject({ digest, mediaType: imageType, size: body.length, cache: 'HIT' });
      expect(found.body.equals(body)).toBe(true);
    }
    expect(await registry.manifests.head(app, tag('v1'))).not.toHaveProperty('body');
    expect((await registry.put(digest, body)).isNew).toBe(false);
    const sha512 = digestOf(body, 'sha512');
    await registry.put(sha512, body, { tags: [tag('long')] });
    expect((await registry.get('long')).digest.equals(sha512)).toBe(true);
    expect(await refusal(registry.get('v1', RepositoryRef.parse('local/other')))).toBe('404 MANIFEST_UNKNOWN');
  });

  it('moves its tag at once', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushImage('v1', 'one');
    await registry.get('v1');
    const second = await registry.pushImage('v1', 'two');
    expect((await registry.get('v1')).body.equals(second)).toBe(true);
  });

  it('must have the digest that it is pushed under', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushBlob(empty);
    expect(await refusal(registry.put(digestOf('other'), image()))).toBe('400 DIGEST_INVALID');
    expect(await refusal(registry.get(digestOf('other')))).toBe('404 MANIFEST_UNKNOWN');
  });

  it.each<[string, Buffer, string | undefined]>([
    ['no JSON', Buffer.from('{'), imageType],
    ['no object', Buffer.from('[]'), imageType],
    ['nothing', Buffer.alloc(0), imageType],
    ['another type than it states', image(), manifestMediaTypes.ociIndex],
    ['an image and an index', image([], { manifests: [] }), imageType],
    ['an index and an image', index([], { layers: [] }), manifestMediaTypes.ociIndex],
    ['no version', image([], { schemaVersion: 1 }), imageType],
    ['no config', image([], { config: undefined }), imageType],
    ['no layers', image([], { layers: undefined }), imageType],
    ['layers that are no list', image([], { layers: {} }), imageType],
    ['a malformed digest', image([], { layers: [{ digest: 'sha256:abc', size: 1, mediaType: 'a/b' }] }), imageType],
    ['a malformed size', image([], { layers: [{ ...descriptor('x', 'a/b'), size: -1 }] }), imageType],
    ['a malformed subject', image([], { subject: { digest: 'x' } }), imageType],
    ['a field twice', Buffer.from('{"schemaVersion":2,"schemaVersion":2,"manifests":[]}'), undefined],
    ['70 levels', Buffer.from(`{"schemaVersion":2,"manifests":[],"x":${'['.repeat(70)}${']'.repeat(70)}}`), undefined],
    ['a type of no kind', Buffer.from('{"a":1}'), 'text/html'],
    ['schema 1', Buffer.from('{"schemaVersion":1,"fsLayers":[]}'), manifestMediaTypes.dockerSchema1Signed],
    ['annotations of numbers', image([], { subject: descriptor('x', imageType), annotations: { a: 1 } }), imageType],
  ])('is refused when it has %s', async (_what, body, contentType) => {
    await using registry = await HostedRegistry.start();
    await registry.pushBlob(empty);
    expect(await refusal(registry.put('v1', body, { contentType }))).toBe('400 MANIFEST_INVALID');
    expect(await refusal(registry.get('v1'))).toBe('404 MANIFEST_UNKNOWN');
  });

  it('may be of any kind that says what it is', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushBlob(empty);
    await registry.pushBlob('layer');
    const artifact = {
      mediaType: manifestMediaTypes.ociArtifact,
      artifactType: 'a/b',
      blobs: [descriptor('layer', 'a/b')],
    };
    for (const [body, contentType] of [
      [index([]), manifestMediaTypes.ociIndex],
      [image([]), undefined],
      [image(['layer'], { mediaType: undefined }), imageType],
      [Buffer.from(JSON.stringify(artifact)), manifestMediaTypes.ociArtifact],
      [image(['layer'], { mediaType: manifestMediaTypes.dockerManifest }), manifestMediaTypes.dockerManifest],
      [Buffer.from('{"anything":true,"config":"mine"}'), 'application/vnd.example.thing+json'],
    ] as const) {
      await registry.put('v1', body, { contentType });
      expect((await registry.get('v1')).body.equals(body)).toBe(true);
    }
  });

  it('needs its blobs and manifests in the same repository, but not layers that are not distributed', async () => {
    await using registry = await HostedRegistry.start();
    const other = RepositoryRef.parse('local/other');
    await registry.pushBlob(empty, other);
    await registry.pushBlob('layer', other);
    const error = await registry.put('v1', image(['layer'])).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      status: 400,
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { digest: digestOf(empty).toString() },
    });
    await registry.pushBlob(empty);
    expect(await refusal(registry.put('v1', image(['layer'])))).toBe('400 MANIFEST_BLOB_UNKNOWN');
    expect(await refusal(registry.put('v1', index([image([])])))).toBe('400 MANIFEST_BLOB_UNKNOWN');
    expect(await refusal(registry.get('v1'))).toBe('404 MANIFEST_UNKNOWN');
    expect(await refusal(registry.get(digestOf(image(['layer']))))).toBe('404 MANIFEST_UNKNOWN');
    const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    await registry.put('v1', image([], { layers: [descriptor('elsewhere', foreign)] }));
    await registry.put('child', image([]));
    await registry.put('list', index([image([])]));
  });

  it('is no index of a manifest that the repository has as a blob only', async () => {
    for (const sparseIndexes of [false, true]) {
      await using registry = await HostedRegistry.start({ sparseIndexes });
      await registry.pushBlob(empty);
      const child = image([]);
      await registry.pushBlob(child);
      const result = await refusal(registry.put('list', index([child])));
      expect(result).toBe(sparseIndexes ? 'none' : '400 MANIFEST_BLOB_UNKNOWN');
      // BuildKit lists the layers of its cache.
      const layer = descriptor(child, 'application/vnd.oci.image.layer.v1.tar+gzip');
      await registry.put('cache', index([], { manifests: [layer] }));
      await registry.put(digestOf(child), child);
      await registry.put('list', index([child]));
    }
  });

  it('may be an index of missing manifests where that is allowed', async () => {
    await using registry = await HostedRegistry.start({ sparseIndexes: true });
    await registry.put('list', index([image(['somewhere else'])]));
  });

  it('with 10,000 layers is refused for what it lacks', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushBlob(empty);
    const layers = Array.from({ length: 10_000 }, (_, at) => `layer ${at}`);
    expect(await refusal(registry.put('v1', image(layers)))).toBe('400 MANIFEST_BLOB_UNKNOWN');
  });
});

describe('immutable tags', () => {
  it('are created once, and neither moved nor deleted', async () => {
    await using registry = await HostedRegistry.start({ immutableTags: ['v*'] });
    const first = await registry.pushImage('v1', 'one');
    await registry.pushBlob('two');
    await registry.put('v1', first);
    const second = image(['two']);
    const moved = registry.put('latest', second, { tags: [tag('v1')] });
    await expect(moved).rejects.toMatchObject({ status: 403, code: 'DENIED' });
    await expect(moved).rejects.toThrow('local/team/app:v1');
    expect(await refusal(registry.get('latest'))).toBe('404 MANIFEST_UNKNOWN');
    expect(await refusal(registry.manifests.delete(app, tag('v1')))).toBe('403 DENIED');
    expect(await refusal(registry.manifests.delete(app, digestOf(first)))).toBe('403 DENIED');
    await registry.put('latest', second);
    await registry.put('latest', first);
    expect((await registry.get('v1')).body.equals(first)).toBe(true);
  });

  it('are created by one of many pushes at the same time', async () => {
    await using registry = await HostedRegistry.start({ immutableTags: ['v*'] });
    await registry.pushBlob(empty);
    const bodies = Array.from({ length: 10 }, (_, at) => image([], { 'x-at': at }));
    const results = await Promise.all(bodies.map((body) => refusal(registry.put('v1', body))));
    expect(results.filter((result) => result === 'none')).toHaveLength(1);
    expect(new Set(results)).toEqual(new Set(['none', '403 DENIED']));
    expect((await registry.get('v1')).body.equals(bodies[results.indexOf('none')]!)).toBe(true);
  });
});

describe('If-Match and If-None-Match', () => {
  it('let a tag move only from what the client knows', async () => {
    await using registry = await HostedRegistry.start();
    const first = await registry.pushImage('v1', 'one');
    await registry.pushBlob('two');
    const second = image(['two']);
    const etag = (body: Buffer) => `"${digestOf(body).toString()}"`;
    expect(await refusal(registry.put('v1', second, { ifMatch: etag(second) }))).toBe('412 PRECONDITION_FAILED');
    expect(await refusal(registry.put('new', second, { ifMatch: '*' }))).toBe('412 PRECONDITION_FAILED');
    expect(await refusal(registry.put('v1', second, { ifNoneMatch: '*' }))).toBe('412 PRECONDITION_FAILED');
    expect((await registry.get('v1')).body.equals(first)).toBe(true);
    await registry.put('v1', second, { ifMatch: etag(first) });
    await registry.put('new', second, { ifNoneMatch: '*' });
    expect((await registry.get('v1')).body.equals(second)).toBe(true);
  });

  it('let one of many clients win', async () => {
    await using registry = await HostedRegistry.start();
    const first = await registry.pushImage('v1', 'one');
    const etag = `"${digestOf(first).toString()}"`;
    const bodies = Array.from({ length: 10 }, (_, at) => image([], { 'x-at': at }));
    const results = await Promise.all(bodies.map((body) => refusal(registry.put('v1', body, { ifMatch: etag }))));
    expect(results.filter((result) => result === 'none')).toHaveLength(1);
  });
});

describe('deletion', () => {
  it('of a tag leaves the manifest and its other tags', async () => {
    await using registry = await HostedRegistry.start();
    const body = await registry.pushImage('v1');
    await registry.put('v2', body);
    await registry.get('v1');
    await registry.manifests.delete(app, tag('v1'));
    expect(await refusal(registry.get('v1'))).toBe('404 MANIFEST_UNKNOWN');
    expect(await refusal(registry.manifests.delete(app, tag('v1')))).toBe('404 MANIFEST_UNKNOWN');
    await registry.get('v2');
    await registry.get(digestOf(body));
  });

  it('of a manifest takes its tags and its place among referrers along', async () => {
    await using registry = await HostedRegistry.start();
    const subject = await registry.pushImage('v1');
    const signature = image([], { subject: descriptor(subject, imageType), artifactType: 'a/sig' });
    await registry.put('sig', signature, { tags: [tag('sig2')] });
    await registry.manifests.delete(app, digestOf(signature));
    for (const reference of ['sig', 'sig2', digestOf(signature)])
      expect(await refusal(registry.get(reference))).toBe('404 MANIFEST_UNKNOWN');
    expect((await registry.listReferrers(digestOf(subject))).manifests).toEqual([]);
    expect((await registry.listTags()).tags).toEqual(['v1']);
    expect(await refusal(registry.manifests.delete(app, digestOf(signature)))).toBe('404 MANIFEST_UNKNOWN');
  });

  it('goes from what refers to what it refers to', async () => {
    await using registry = await HostedRegistry.start();
    const child = await registry.pushImage('child');
    const list = index([child]);
    await registry.put('list', list);
    expect(await refusal(registry.manifests.delete(app, digestOf(child)))).toBe('405 DENIED');
    expect(await refusal(registry.blobs.delete(app, digestOf('layer')))).toBe('405 DENIED');
    await registry.get('child');
    await registry.manifests.delete(app, digestOf(list));
    await registry.manifests.delete(app, digestOf(child));
    await registry.blobs.delete(app, digestOf('layer'));
    expect(await refusal(registry.blobs.head(app, digestOf('layer')))).toBe('404 BLOB_UNKNOWN');
    expect(await refusal(registry.blobs.open(requestOf(app, digestOf('layer'))))).toBe('404 BLOB_UNKNOWN');
    expect(await refusal(registry.blobs.delete(app, digestOf('layer')))).toBe('404 BLOB_UNKNOWN');
  });

  it('is refused where it is switched off', async () => {
    await using registry = await HostedRegistry.start({ deletes: false });
    const body = await registry.pushImage('v1');
    for (const attempt of [
      () => registry.manifests.delete(app, tag('v1')),
      () => registry.manifests.delete(app, digestOf(body)),
      () => registry.blobs.delete(app, digestOf('layer')),
    ])
      expect(await refusal(attempt())).toBe('405 UNSUPPORTED');
    await registry.get('v1');
  });
});

describe('a descriptor that contradicts what is stored', () => {
  const child = image();
  const childOf = (fields: object) => index([], { manifests: [{ ...descriptor(child, imageType), ...fields }] });
  it.each<[string, Buffer, string, object]>([
    [
      'the size of a layer',
      image([], { layers: [{ ...descriptor('layer', 'a/b'), size: 6 }] }),
      '400 SIZE_INVALID',
      { digest: digestOf('layer').toString(), size: 6, stored: 5 },
    ],
    [
      'the size of a layer that is named twice',
      image([], { layers: [descriptor('layer', 'a/b'), { ...descriptor('layer', 'a/b'), size: 4 }] }),
      '400 SIZE_INVALID',
      { digest: digestOf('layer').toString(), size: 4, stored: 5 },
    ],
    [
      'the size of the configuration',
      image([], { config: { ...descriptor(empty, 'a/b'), size: 0 } }),
      '400 SIZE_INVALID',
      { digest: digestOf(empty).toString(), size: 0, stored: 2 },
    ],
    [
      'the size of a listed manifest',
      childOf({ size: 1 }),
      '400 SIZE_INVALID',
      { digest: digestOf(child).toString(), size: 1, stored: child.length },
    ],
    [
      'the type of a listed manifest',
      childOf({ mediaType: manifestMediaTypes.ociIndex }),
      '400 MANIFEST_INVALID',
      { digest: digestOf(child).toString(), mediaType: manifestMediaTypes.ociIndex, stored: imageType },
    ],
  ])('is refused: %s', async (_what, body, expected, detail) => {
    for (const sparseIndexes of [false, true]) {
      await using registry = await HostedRegistry.start({ sparseIndexes });
      await registry.pushBlob(empty);
      await registry.pushBlob('layer');
      await registry.put(digestOf(child), child);
      expect(await refusal(registry.put('v1', body))).toBe(expected);
      await expect(registry.put('v1', body)).rejects.toMatchObject({ detail });
      expect(await refusal(registry.get('v1'))).toBe('404 MANIFEST_UNKNOWN');
    }
  });
});
