import { describe, expect, it } from 'vitest';
import { request, type Reply } from '../fakes/request.js';
import { blobOf, fixtureMediaTypes, makeBlob, makeImage, makeIndex, makeSchema1 } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Mirror } from './support/mirror.js';
import { MovingClock } from './support/moving-clock.js';
import { Stage } from './support/stage.js';
import { storedFiles } from './support/stored-files.js';

const image = makeImage({ layers: [70_000, 300] });
const { manifest } = image;
const layer = image.layers[0]!;
const common = { 'docker-distribution-api-version': 'registry/2.0', 'x-content-type-options': 'nosniff' };

async function stageWithImage(options: Parameters<typeof Stage.start>[0] = {}): Promise<Stage> {
  const stage = await Stage.start(options);
  stage.registry.addImage('team/app', image, ['1']);
  return stage;
}

/** The headers that the mirror, and not Node, puts on an answer, without those that differ each time. */
function ownHeaders({ headers }: Reply): Record<string, unknown> {
  const others = ['date', 'connection', 'keep-alive', 'x-request-id'];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !others.includes(name)));
}

describe('the version check', () => {
  it.each(['/v2/', '/v2', '/v2/?ns=registry.test'])('at %s is answered with an empty document', async (path) => {
    await using mirror = await Mirror.start();
    const get = await request(`${mirror.url}${path}`);
    const head = await request(`${mirror.url}${path}`, { method: 'HEAD' });
    expect([get.status, get.body.toString(), head.status, head.body.length]).toEqual([200, '{}', 200, 0]);
    expect(ownHeaders(get)).toEqual({ ...common, 'content-type': 'application/json', 'content-length': '2' });
    expect(ownHeaders(head)).toEqual(ownHeaders(get));
  });

  it('has a plain counterpart at / for probes', async () => {
    await using mirror = await Mirror.start();
    const get = await request(`${mirror.url}/`);
    const head = await request(`${mirror.url}/`, { method: 'HEAD' });
    expect([get.status, get.body.toString(), head.status, head.body.length]).toEqual([200, 'ok\n', 200, 0]);
    expect(ownHeaders(get)).toEqual({ ...common, 'content-type': 'text/plain', 'content-length': '3' });
    expect(ownHeaders(head)).toEqual(ownHeaders(get));
  });
});

describe('the headers of an answer', () => {
  const ofManifest = {
    ...common,
    'content-type': manifest.mediaType,
    'content-length': String(manifest.body.length),
    'docker-content-digest': manifest.digest,
    etag: `"${manifest.digest}"`,
    'oci-namespace': 'registry.test',
  };
  const ofBlob = {
    ...common,
    'content-type': 'application/octet-stream',
    'content-length': String(layer.body.length),
    'docker-content-digest': layer.digest,
    etag: `"${layer.digest}"`,
    'oci-namespace': 'registry.test',
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000, immutable',
  };

  it('describe a manifest by tag, new and stored, and HEAD has those of GET', async () => {
    await using stage = await stageWithImage();
    const path = 'team/app/manifests/1';
    expect(ownHeaders(await stage.head(path))).toEqual({ ...ofManifest, 'x-cache': 'MISS', age: '0' });
    expect(ownHeaders(await stage.get(path))).toEqual({ ...ofManifest, 'x-cache': 'MISS', age: '0' });
    const stored = await stage.get(path);
    expect(ownHeaders(stored)).toEqual({ ...ofManifest, 'x-cache': 'HIT', age: '0' });
    expect(stored.body.equals(manifest.body)).toBe(true);
    const head = await stage.head(path);
    expect(ownHeaders(head)).toEqual(ownHeaders(stored));
    expect(head.body.length).toBe(0);
  });

  it('describe a manifest by digest, and have no age', async () => {
    await using stage = await stageWithImage();
    const path = `team/app/manifests/${manifest.digest}`;
    expect(ownHeaders(await stage.head(path))).toEqual({ ...ofManifest, 'x-cache': 'MISS' });
    expect(ownHeaders(await stage.get(path))).toEqual({ ...ofManifest, 'x-cache': 'MISS' });
    for (const reply of [await stage.get(path), await stage.head(path)])
      expect(ownHeaders(reply)).toEqual({ ...ofManifest, 'x-cache': 'HIT' });
  });

  it('describe a blob, new and stored, and HEAD has those of GET', async () => {
    await using stage = await stageWithImage();
    const path = `team/app/blobs/${layer.digest}`;
    expect(ownHeaders(await stage.head(path))).toEqual({ ...ofBlob, 'x-cache': 'MISS' });
    const first = await stage.get(path);
    expect(ownHeaders(first)).toEqual({ ...ofBlob, 'x-cache': 'MISS' });
    expect(first.body.equals(layer.body)).toBe(true);
    await stage.mirror.settled();
    const stored = await stage.get(path);
    const head = await stage.head(path);
    expect(ownHeaders(stored)).toEqual({ ...ofBlob, 'x-cache': 'HIT' });
    expect(ownHeaders(head)).toEqual(ownHeaders(stored));
    expect([stored.body.equals(layer.body), head.body.length]).toEqual([true, 0]);
  });

  it('tell how old a tag is, that it was confirmed, and that it could not be', async () => {
    const clock = new MovingClock();
    await using stage = await stageWithImage({ clock, upstream: { tagTtl: 60_000 } });
    const told = async () => {
      const { headers } = await stage.get('team/app/manifests/1');
      return [headers['x-cache'], Number(headers.age)];
    };
    expect(await told()).toEqual(['MISS', 0]);
    clock.pass(42);
    expect(await told()).toEqual(['HIT', 42]);
    clock.pass(20);
    expect(await told()).toEqual(['REVALIDATED', 0]);
    clock.pass(61);
    await stage.registry.stop();
    expect(await told()).toEqual(['STALE', 61]);
    expect(stage.asked).toEqual(['GET manifest', 'HEAD manifest']);
  });

  it('keep the media type of every kind of manifest', async () => {
    await using stage = await Stage.start();
    const docker = makeImage({ mediaType: 'docker' });
    const contents = [docker, image, makeIndex([{ image }]), makeIndex([{ image: docker }], { mediaType: 'docker' })];
    for (const content of contents) {
      stage.registry.addImage('team/app', content);
      for (const cache of ['MISS', 'HIT']) {
        const reply = await stage.get(`team/app/manifests/${content.manifest.digest}`);
        expect(reply.headers).toMatchObject({ 'content-type': content.manifest.mediaType, 'x-cache': cache });
        expect(reply.body.equals(content.manifest.body)).toBe(true);
      }
    }
  });
});

describe('an answer of any status', () => {
  it('has the common headers and an id of its own, and does not say what made it', async () => {
    await using stage = await stageWithImage();
    const targets = ['/v2/', '/', '/foo', '/v2/registry.test/team/app/manifests/1', '/v2/registry.test/A/manifests/1'];
    const ids = new Set<unknown>();
    for (const target of targets) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        const { headers } = await request(`${stage.mirror.url}${target}`, { method });
        expect(headers).toMatchObject(common);
        expect(headers['x-powered-by'] ?? headers.server).toBeUndefined();
        ids.add(headers['x-request-id']);
      }
    }
    expect(ids.size).toBe(targets.length * 3);
    expect(ids).not.toContain(undefined);
  });

  it('has the id that the client gave its request, when that is fit for a log', async () => {
    await using mirror = await Mirror.start();
    const idOf = async (id: string) =>
      (await request(`${mirror.url}/v2/`, { headers: { 'x-request-id': id } })).headers['x-request-id'];
    expect(await idOf('4bf92f35-77b3.4da6_a3ce')).toBe('4bf92f35-77b3.4da6_a3ce');
    for (const id of ['', ' ', 'x'.repeat(5000), 'a b', '{"level":60}', '<script>', 'é']) {
      expect(await idOf(id), id).toMatch(/^[\w.:-]{1,128}$/);
    }
  });
});

describe('HEAD of a blob that is not stored', () => {
  it('asks by HEAD and downloads nothing', async () => {
    await using stage = await stageWithImage();
    const reply = await stage.head(`team/app/blobs/${layer.digest}`);
    expect([reply.status, reply.headers['content-length']]).toEqual([200, String(layer.body.length)]);
    expect(stage.asked).toEqual(['HEAD blob']);
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });

  it('keeps nothing either when the registry only answers GET', async () => {
    await using stage = await stageWithImage({ registry: { head: { blobs: 405 } } });
    const reply = await stage.head(`team/app/blobs/${layer.digest}`);
    expect([reply.status, reply.headers['content-length']]).toEqual([200, String(layer.body.length)]);
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });

  it('is 404 without a body when there is none', async () => {
    await using stage = await stageWithImage();
    const path = `team/app/blobs/${makeBlob(1, 'absent').digest}`;
    const head = await stage.head(path);
    const get = await stage.get(path);
    expectError(get, 404, 'BLOB_UNKNOWN');
    expect([head.status, head.body.length, ownHeaders(head)]).toEqual([404, 0, ownHeaders(get)]);
  });
});

describe('If-None-Match', () => {
  const named = (digest: string): [string, string][] => [
    ['the entity tag', `"${digest}"`],
    ['a weak one', `W/"${digest}"`],
    ['a list', `"x", W/"y" ,"${digest}","z"`],
    ['a star', '*'],
    ['the digest without quotes', digest],
  ];

  it.each(['manifest', 'blob'] as const)('that names a stored %s is answered 304', async (kind) => {
    await using stage = await stageWithImage();
    const { digest } = kind === 'manifest' ? manifest : layer;
    const path = `team/app/${kind}s/${digest}`;
    await stage.get(path);
    await stage.mirror.settled();
    for (const [what, value] of named(digest)) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await stage.get(path, { 'if-none-match': value }, { method });
        expect([reply.status, reply.body.length], what).toEqual([304, 0]);
        expect(reply.headers).toMatchObject({ ...common, etag: `"${digest}"`, 'x-cache': 'HIT' });
        expect(reply.headers['content-length']).toBeUndefined();
      }
    }
    for (const value of [`"sha256:${'0'.repeat(64)}"`, '""', '', `"${digest}x"`]) {
      expect((await stage.get(path, { 'if-none-match': value })).status, value).toBe(200);
    }
  });

  it('that names what is not stored yet is answered 304 too, by tag as well', async () => {
    await using stage = await stageWithImage();
    const cases = [
      [`team/app/blobs/${layer.digest}`, layer.digest],
      ['team/app/manifests/1', manifest.digest],
      [`team/app/manifests/${manifest.digest}`, manifest.digest],
    ] as const;
    for (const [path, digest] of cases) {
      for (const method of ['HEAD', 'GET']) {
        const reply = await stage.get(path, { 'if-none-match': `"${digest}"` }, { method });
        expect([reply.status, reply.body.length]).toEqual([304, 0]);
      }
    }
  });
});

describe('unusual content', () => {
  it('of no bytes is a blob like any other', async () => {
    await using stage = await Stage.start();
    const empty = blobOf(Buffer.alloc(0));
    stage.registry.addBlob('team/app', empty);
    const path = `team/app/blobs/${empty.digest}`;
    for (const cache of ['MISS', 'HIT']) {
      for (const method of ['HEAD', 'GET']) {
        const reply = await stage.get(path, {}, { method });
        expect([reply.status, reply.headers['content-length'], reply.body.length]).toEqual([200, '0', 0]);
        expect(reply.headers['x-cache']).toBe(cache);
      }
      await stage.mirror.settled();
    }
    expect(stage.asked).toEqual(['HEAD blob', 'GET blob']);
  });

  it('under sha512 is verified, stored and served', async () => {
    await using stage = await Stage.start();
    const sha512 = makeImage({ algorithm: 'sha512', layers: [70_000] });
    stage.registry.addImage('team/app', sha512, ['1']);
    for (const cache of ['MISS', 'HIT']) {
      const byDigest = await stage.get(`team/app/manifests/${sha512.manifest.digest}`);
      expect(byDigest.headers).toMatchObject({
        'x-cache': cache,
        'docker-content-digest': sha512.manifest.digest,
        etag: `"${sha512.manifest.digest}"`,
      });
      expect(byDigest.body.equals(sha512.manifest.body)).toBe(true);
      const byTag = await stage.get('team/app/manifests/1');
      expect(byTag.headers['docker-content-digest']).toBe(sha512.manifest.digest);
      for (const blob of [sha512.config, ...sha512.layers]) {
        const reply = await stage.get(`team/app/blobs/${blob.digest}`);
        expect(reply.headers).toMatchObject({ 'x-cache': cache, 'docker-content-digest': blob.digest });
        expect(reply.body.equals(blob.body)).toBe(true);
      }
      await stage.mirror.settled();
    }
  });

  it('of schema 1 passes through byte for byte, and is not stored', async () => {
    await using stage = await Stage.start();
    const old = makeSchema1('team/app', 'old');
    stage.registry.addImage('team/app', old, ['old']);
    for (const reference of ['old', old.manifest.digest, 'old']) {
      const reply = await stage.get(`team/app/manifests/${reference}`);
      expect(reply.status).toBe(200);
      expect(reply.headers).toMatchObject({
        'content-type': fixtureMediaTypes.dockerSchema1,
        'docker-content-digest': old.manifest.digest,
        'content-length': String(old.manifest.body.length),
      });
      expect(reply.body.equals(old.manifest.body)).toBe(true);
      const head = await stage.head(`team/app/manifests/${reference}`);
      expect([head.status, head.headers['docker-content-digest']]).toEqual([200, old.manifest.digest]);
    }
    expect((await storedFiles(stage.mirror.root)).filter((file) => file.startsWith('blobs/'))).toEqual([]);
  });

  it('keeps the unusual white space of a manifest', async () => {
    await using stage = await Stage.start();
    const body = Buffer.from(`\n  ${manifest.body.toString().replaceAll('\n', '\r\n\t')}\n\n`);
    const spaced = { ...blobOf(body), mediaType: manifest.mediaType };
    stage.registry.addManifest('team/app', spaced);
    for (const cache of ['MISS', 'HIT']) {
      const reply = await stage.get(`team/app/manifests/${spaced.digest}`);
      expect([reply.headers['x-cache'], reply.body.equals(body)]).toEqual([cache, true]);
    }
  });
});
