import { describe, expect, it } from 'vitest';
import { blobOf, fixtureMediaTypes as types, makeImage, makeIndex, type FixtureImage } from '../fixtures/images.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { Mirror } from '../e2e/support/mirror.js';
import { request } from '../fakes/request.js';
import { Scene, type SceneOptions } from './support/scene.js';

const base = makeImage({ seed: 'base', layers: [100_000, 2_000] });
const shared = base.layers[0]!;

/** Another image whose first layer is that of the base. */
function onBase(seed: string): FixtureImage {
  const own = makeImage({ seed });
  const layers = [shared, ...own.layers];
  const document = {
    ...(JSON.parse(own.manifest.body.toString()) as object),
    layers: layers.map(({ digest, body }) => ({ mediaType: types.ociLayer, digest, size: body.length })),
  };
  const manifest = { ...blobOf(Buffer.from(JSON.stringify(document))), mediaType: types.ociManifest };
  return { ...own, manifest, layers };
}
const app = onBase('app');
const index = makeIndex([{ image: app }]);

const pull = async (scene: Scene, paths: readonly string[]) => {
  for (const path of paths) expect((await scene.get(path)).status, path).toBe(200);
  await scene.mirror.settled();
};
const pathsOf = (name: string, { manifest, config, layers }: FixtureImage) => [
  `${name}/manifests/${manifest.digest}`,
  ...[config, ...layers].map(({ digest }) => `${name}/blobs/${digest}`),
];
const path = `app/blobs/${shared.digest}`;

/** Every path is pulled but those that a client skips. */
async function sceneOf(pulled: readonly string[], options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.set(options);
  scene.registry.addImage('base', base, ['1']);
  scene.registry.addImage('app', app, ['1']);
  scene.registry.addImage('app', index, ['all']);
  await pull(scene, [...pathsOf('base', base), ...pulled.filter((each) => each !== path)]);
  return scene;
}

describe('a layer that a client skipped because another image had it', () => {
  it.each([
    ['a manifest', pathsOf('app', app)],
    ['the index of its image', [`app/manifests/${index.manifest.digest}`, ...pathsOf('app', app)]],
  ])('is served in an outage when %s of the repository names it', async (_, pulled) => {
    await using scene = await sceneOf(pulled);
    for (const end of [() => scene.registry.stop(), () => scene.restart()]) {
      await end();
      const { status, body, headers } = await scene.get(path);
      expect([status, body.equals(shared.body), headers['x-cache']]).toEqual([200, true, 'STALE']);
      const head = await scene.get(path, { method: 'HEAD' });
      expect([head.status, head.headers['content-length']]).toEqual([200, String(shared.body.length)]);
      const range = await scene.get(path, { headers: { range: 'bytes=5-9' } });
      expect([range.status, range.body.equals(shared.body.subarray(5, 10))]).toEqual([206, true]);
    }
    await scene.registry.restart();
    scene.clock.pass(60);
    expect((await scene.see(path)).cache).toBe('REVALIDATED');
  });

  it('is served when its manifest was skipped as well, and an index of the repository names that', async () => {
    await using scene = await sceneOf([]);
    scene.registry.addImage('first', app, ['1']);
    await pull(scene, [...pathsOf('first', app), `app/manifests/${index.manifest.digest}`]);
    await scene.registry.stop();
    for (const each of pathsOf('app', app)) {
      expect(await scene.see(each), each).toMatchObject({ status: 200, cache: 'STALE' });
      expect(await scene.see(each, 'HEAD'), each).toMatchObject({ status: 200, cache: 'STALE' });
    }
  });

  it('is served while the registry responds 5xx or 429', async () => {
    await using scene = await sceneOf(pathsOf('app', app));
    for (const status of [500, 503, 429]) {
      scene.registry.behaviour.outage = { status };
      expect(await scene.see(path)).toMatchObject({ status: 200, cache: 'STALE' });
    }
  });
});

/** The registry refuses the path, then stops; nothing in memory is left of that. */
async function refuse(scene: Scene, status: number, refused: string): Promise<void> {
  scene.registry.behaviour.before = ({ kind }, response) => {
    if (kind !== 'token') response.writeHead(status, { 'content-length': 0 }).end();
  };
  expect((await scene.see(refused)).status).toBe(status);
  scene.registry.behaviour.before = undefined;
  await scene.registry.stop();
  scene.clock.pass(60);
  await scene.restart();
}

async function availability(scene: Scene, paths: readonly string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const each of paths)
    for (const method of ['GET', 'HEAD'] as const) statuses.push((await scene.see(each, method)).status);
  return statuses;
}

describe('a stored layer in an outage', () => {
  it('is 503 when no manifest of the repository names it', async () => {
    await using scene = await sceneOf([]);
    await pull(scene, [`app/blobs/${app.config.digest}`]);
    await scene.registry.stop();
    for (const method of ['GET', 'HEAD'] as const) expect((await scene.see(path, method)).status).toBe(503);
  });

  it.each([401, 403, 404])(
    'is %i when that is what the registry responds, in an outage after it too',
    async (status) => {
      await using scene = await sceneOf(pathsOf('app', app));
      scene.registry.behaviour.before = ({ kind }, response) => {
        if (kind === 'blob') response.writeHead(status, { 'content-length': 0 }).end();
      };
      expect((await scene.see(path)).status).toBe(status);
      await scene.registry.stop();
      for (const method of ['GET', 'HEAD'] as const) expect((await scene.see(path, method)).status).toBe(status);
    },
  );

  it.each([401, 403, 404])(
    'stays refused after %i for it, also when nothing remembers that but the storage',
    async (status) => {
      await using scene = await sceneOf(pathsOf('app', app));
      await refuse(scene, status, path);
      expect(await availability(scene, [path])).toEqual([503, 503]);
    },
  );

  it.each([401, 403, 404])(
    'stays refused after %i for a manifest that names it, or that an index names',
    async (status) => {
      const manifest = `app/manifests/${app.manifest.digest}`;
      await using scene = await sceneOf([`app/manifests/${index.manifest.digest}`]);
      scene.registry.addImage('first', app, ['1']);
      await pull(scene, pathsOf('first', app));
      await refuse(scene, status, manifest);
      expect(await availability(scene, [path, manifest])).toEqual([503, 503, 503, 503]);
    },
  );

  it.each([401, 403])(
    'stays refused after %i for a tag of the repository, until the registry agrees to it',
    async (status) => {
      await using scene = await sceneOf(pathsOf('app', app));
      await refuse(scene, status, 'app/manifests/1');
      expect(await availability(scene, [path])).toEqual([503, 503]);
      await scene.registry.restart();
      scene.clock.pass(60);
      await pull(scene, ['app/manifests/1']);
      await scene.registry.stop();
      await scene.restart();
      expect(await availability(scene, [path])).toEqual([200, 200]);
    },
  );

  it('is 503 when it came with the credentials of another account', async () => {
    const [username, password] = ['somebody', 'planted-password'];
    const registry = { auth: 'basic', username, password, anonymous: false, access: {} } as const;
    await using scene = await sceneOf(pathsOf('app', app), { registry, upstream: { username, password } });
    await scene.registry.stop();
    expect((await scene.see(path)).cache).toBe('STALE');
    for (const name of ['another', '']) {
      await scene.restart({ username: name, password });
      for (const method of ['GET', 'HEAD'] as const) expect((await scene.see(path, method)).status).toBe(503);
    }
  });

  it('is 503 when another registry, or another namespace of the same one, sent it', async () => {
    await using registry = await FakeRegistry.start();
    await using other = await FakeRegistry.start();
    const upstreams = [
      { namespace: 'registry.test', host: registry.host },
      { namespace: 'alias.test', host: registry.host },
      { namespace: 'other.test', host: other.host },
    ];
    await using mirror = await Mirror.start({ upstreams });
    const get = (target: string, method = 'GET') => request(`${mirror.url}/v2/${target}`, { method });
    for (const each of [registry, other]) {
      each.addImage('base', base, ['1']);
      each.addImage('app', app, ['1']);
    }
    for (const each of pathsOf('base', base)) await get(`registry.test/${each}`);
    for (const each of pathsOf('app', app).filter((wanted) => wanted !== path))
      for (const { namespace } of upstreams) await get(`${namespace}/${each}`);
    await mirror.settled();
    await registry.stop();
    await other.stop();
    expect((await get(`registry.test/base/blobs/${shared.digest}`)).headers['x-cache']).toBe('HIT');
    for (const namespace of ['alias.test', 'other.test'])
      for (const method of ['GET', 'HEAD']) expect((await get(`${namespace}/${path}`, method)).status).toBe(503);
  });
});
