import { describe, expect, it } from 'vitest';
import type { Reply } from '../fakes/request.js';
import { blobOf, fixtureMediaTypes as types, makeBlob, makeImage } from '../fixtures/images.js';
import { Scene } from './support/scene.js';

const image = makeImage({ seed: 'head', layers: [200_000] });
const { digest, body, mediaType } = image.manifest;
const layer = image.layers[0]!;

type Headers = Readonly<Record<string, string>>;

/** What registries and what is in front of them say to HEAD, although GET is right. */
const lies: readonly (readonly [string, Headers])[] = [
  ['a length of 0', { 'content-length': '0', 'content-type': mediaType }],
  ['no length', { 'content-type': mediaType }],
  ['another length', { 'content-length': '17', 'content-type': mediaType }],
  ['another type', { 'content-length': String(body.length), 'content-type': types.dockerManifest }],
  ['no type', { 'content-length': String(body.length) }],
];

/** HEADs of one kind get these headers. */
function lie(scene: Scene, kind: 'manifest' | 'blob', headers: Headers, isDigestStated = true): void {
  scene.registry.behaviour.before = (request, response) => {
    if (request.method !== 'HEAD' || request.kind !== kind) return;
    const content = kind === 'manifest' ? digest : (request.reference ?? '');
    response.writeHead(200, { ...headers, ...(isDigestStated && { 'docker-content-digest': content }) }).end();
  };
}

const head = (scene: Scene, path: string, headers: Headers = {}) => scene.get(path, { method: 'HEAD', headers });

const described = ({ status, headers }: Reply) => [status, headers['content-length'], headers['content-type']];
const truth = [200, String(body.length), mediaType];

describe('HEAD of a manifest that the registry describes wrongly by HEAD', () => {
  it.each(lies)('tells what is stored, whatever came first: %s', async (_, headers) => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', image, ['1']);
    lie(scene, 'manifest', headers);
    const paths = ['app/manifests/1', `app/manifests/${digest}`];
    const accepts = [mediaType, types.dockerManifest, types.ociIndex, '*/*'];
    const expectTruth = async () => {
      for (const path of paths)
        for (const accept of accepts) expect(described(await head(scene, path, { accept })), path).toEqual(truth);
    };
    for (const path of paths) expect((await head(scene, path)).headers['content-length']).toMatch(/^[1-9]/);
    for (const path of paths) expect(described(await scene.get(path))).toEqual(truth);
    await expectTruth();
    scene.clock.pass(3600);
    await expectTruth();
    await scene.restart();
    await expectTruth();
    await scene.registry.stop();
    scene.clock.pass(3600);
    await expectTruth();
  });

  it.each(lies.slice(0, 2))('asks by GET where HEAD has %s', async (_, headers) => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', image, ['1']);
    lie(scene, 'manifest', headers);
    for (const path of ['app/manifests/1', `app/manifests/${digest}`])
      expect(described(await head(scene, path))).toEqual(truth);
  });

  it('tells what another repository has stored, once the registry has agreed', async () => {
    await using scene = await Scene.set();
    for (const name of ['app', 'other', 'third']) scene.registry.addImage(name, image, ['1']);
    await scene.get(`app/manifests/${digest}`);
    lie(scene, 'manifest', { 'content-length': '17', 'content-type': types.dockerManifest });
    for (const path of [`other/manifests/${digest}`, 'other/manifests/1', 'third/manifests/1'])
      expect(described(await head(scene, path)), path).toEqual(truth);
    expect(described(await scene.get(`other/manifests/${digest}`))).toEqual(truth);
    expect(scene.asked().filter((asked) => asked.startsWith('GET'))).toEqual([`GET manifest ${digest}`]);
  });
});

describe('HEAD of a blob that the registry describes wrongly by HEAD', () => {
  const path = `app/blobs/${layer.digest}`;
  const size = String(layer.body.length);
  const lengthOf = ({ status, headers }: Reply) => [status, headers['content-length']];

  it.each([
    ['a length of 0', { 'content-length': '0' }],
    ['no length', {}],
  ])('learns the size by a GET of one byte where HEAD has %s', async (_, headers) => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', image, ['1']);
    lie(scene, 'blob', headers);
    expect(lengthOf(await head(scene, path))).toEqual([200, size]);
    expect(scene.registry.requests.map(({ method, headers: { range } }) => [method, range])).toEqual([
      ['HEAD', undefined],
      ['GET', 'bytes=0-0'],
    ]);
    expect((await scene.get(path)).body.equals(layer.body)).toBe(true);
  });

  it('learns the size by a GET where the registry has no ranges', async () => {
    await using scene = await Scene.set({ registry: { ranges: false } });
    scene.registry.addImage('app', image, ['1']);
    lie(scene, 'blob', { 'content-length': '0' });
    expect(lengthOf(await head(scene, path))).toEqual([200, size]);
  });

  it('downloads it where nothing has a length, once for all who ask', async () => {
    await using scene = await Scene.set({ registry: { ranges: false, omitContentLength: true } });
    scene.registry.addImage('app', image, ['1']);
    lie(scene, 'blob', {});
    const heads = await Promise.all([head(scene, path), head(scene, path), head(scene, path)]);
    expect(heads.map(lengthOf)).toEqual(Array(3).fill([200, size]));
    await scene.mirror.settled();
    expect((await scene.get(path)).headers['x-cache']).toBe('HIT');
    const gets = scene.registry.requests.filter(({ method }) => method === 'GET');
    expect(gets.map(({ headers }) => headers.range)).toEqual(['bytes=0-0', undefined]);
  });

  it('tells the size of what is stored, also for another repository of the registry', async () => {
    await using scene = await Scene.set();
    for (const name of ['app', 'other']) scene.registry.addImage(name, image, ['1']);
    await scene.get(path);
    await scene.mirror.settled();
    for (const headers of [{ 'content-length': '0' }, { 'content-length': '17' }, {}]) {
      lie(scene, 'blob', headers);
      for (const name of ['app', 'other'])
        expect(lengthOf(await head(scene, `${name}/blobs/${layer.digest}`))).toEqual([200, size]);
    }
    expect(scene.asked().filter((asked) => asked.startsWith('GET'))).toEqual([`GET blob ${layer.digest}`]);
  });

  it('tells 0 of the blob that is empty', async () => {
    await using scene = await Scene.set();
    const empty = blobOf(Buffer.alloc(0));
    scene.registry.addBlob('app', empty);
    expect(lengthOf(await head(scene, `app/blobs/${empty.digest}`))).toEqual([200, '0']);
    expect(scene.asked()).toEqual([`HEAD blob ${empty.digest}`]);
    expect((await scene.get(`app/blobs/${empty.digest}`)).status).toBe(200);
    await scene.mirror.settled();
    expect(lengthOf(await head(scene, `app/blobs/${empty.digest}`))).toEqual([200, '0']);
  });

  it('is 404 as ever for one that is absent', async () => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', image, ['1']);
    expect((await head(scene, `app/blobs/${makeBlob(9, 'absent').digest}`)).status).toBe(404);
  });
});
