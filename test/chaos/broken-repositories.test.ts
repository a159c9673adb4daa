import { describe, expect, it } from 'vitest';
import type { RecordedRequest } from '../fakes/registry/request-log.js';
import { makeImage } from '../fixtures/images.js';
import { older, Scene, type SceneOptions } from './support/scene.js';

const goods = Array.from({ length: 40 }, (_, index) => `good/app-${index}`);

/** Responds 500 to the requests that it matches. */
function fail(scene: Scene, isBroken: (request: RecordedRequest) => boolean): void {
  scene.registry.behaviour.before = (request, response) => {
    if (isBroken(request)) response.writeHead(500, { 'content-length': 0 }).end();
  };
}

async function withImages(options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.set(options);
  for (const name of [...goods, 'bad/app', 'bad/other', 'bad/third']) scene.registry.addImage(name, older, ['1.0']);
  return scene;
}

async function statusesOf(scene: Scene, paths: readonly string[]): Promise<Set<number>> {
  const statuses = new Set<number>();
  for (const path of paths) statuses.add((await scene.see(path)).status);
  return statuses;
}

const manifestsOf = (names: readonly string[]) => names.map((name) => `${name}/manifests/1.0`);

describe('a repository that its registry fails to serve', () => {
  it('keeps no tag of another repository from being pulled while three clients retry', async () => {
    await using scene = await withImages();
    fail(scene, ({ repository }) => repository === 'bad/app');
    for (const path of manifestsOf(goods)) {
      const retries = [1, 2, 3].map(() => scene.see('bad/app/manifests/1.0'));
      const [good, ...bad] = await Promise.all([scene.see(path), ...retries]);
      expect([good.status, ...bad.map(({ status }) => status)]).toEqual([200, 503, 503, 503]);
    }
    expect(scene.registry.count({ repository: 'bad/app' })).toBeLessThanOrEqual(5);
    expect(scene.log.filter(({ context }) => context === 'Upstream').map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/responded with 500 for manifests of bad\/app; serving cached content until it recovers$/),
    ]);
  });

  it('is requested one at a time, with pauses, until it recovers', async () => {
    await using scene = await withImages();
    fail(scene, ({ repository }) => repository === 'bad/app');
    const path = 'bad/app/manifests/1.0';
    for (let count = 0; count < 10; count += 1) await scene.see(path);
    expect(scene.asked()).toHaveLength(3);
    scene.clock.pass(2);
    await Promise.all(Array.from({ length: 10 }, () => scene.see(path)));
    expect(scene.asked()).toHaveLength(1);
    scene.registry.behaviour.before = undefined;
    expect(await scene.see(path)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    scene.clock.pass(3);
    expect(await scene.see(path)).toMatchObject({ status: 200 });
    expect(scene.log.filter(({ msg }) => msg.endsWith('is available again for manifests of bad/app'))).toHaveLength(1);
  });

  it.each([
    ['blobs', `blobs/${older.config.digest}`],
    ['tags', 'tags/list'],
    ['referrers', `referrers/${older.manifest.digest}`],
  ] as const)('fails alone, and only at that endpoint: %s', async (endpoint, path) => {
    await using scene = await withImages();
    const isList = endpoint !== 'blobs';
    fail(scene, ({ repository, kind }) => repository === 'bad/app' && kind.startsWith(endpoint.replace(/s$/, '')));
    const statuses = await statusesOf(
      scene,
      Array.from({ length: 10 }, () => `bad/app/${path}`),
    );
    expect(statuses.has(200)).toBe(false);
    expect(scene.asked().length).toBeLessThanOrEqual(isList ? 1 : 3);
    expect(await scene.see(`good/app-0/${path}`)).toMatchObject({ status: 200 });
    expect(await scene.see('bad/app/manifests/1.0')).toMatchObject({ status: 200 });
  });

  it('does not pause the others when it says when to retry', async () => {
    await using scene = await withImages();
    scene.registry.behaviour.outage = { status: 503, retryAfter: 300, times: 1 };
    expect(await scene.see('bad/app/manifests/1.0')).toMatchObject({ status: 503, retryAfter: 300 });
    expect(await scene.see('good/app-0/manifests/1.0')).toMatchObject({ status: 200 });
    expect(await scene.see('bad/app/manifests/1.0')).toMatchObject({ status: 503, retryAfter: 300 });
  });

  it('is one that it gives no token for: others get theirs', async () => {
    await using scene = await withImages({ registry: { auth: 'bearer' } });
    fail(scene, ({ kind, url }) => kind === 'token' && decodeURIComponent(url).includes('bad/app'));
    expect(await statusesOf(scene, Array(6).fill('bad/app/manifests/1.0'))).toEqual(new Set([503]));
    expect(await statusesOf(scene, manifestsOf(goods.slice(0, 3)))).toEqual(new Set([200]));
  });
});

describe('three different repositories that fail in a row', () => {
  it('are an outage of the registry, until another one is served', async () => {
    await using scene = await withImages();
    fail(scene, ({ kind }) => kind === 'manifest');
    const names = ['bad/app', 'bad/other', 'bad/third', 'good/app-0', 'good/app-1'];
    expect(await statusesOf(scene, manifestsOf(names))).toEqual(new Set([503]));
    expect(scene.asked()).toHaveLength(3);
    fail(scene, ({ repository = '' }) => repository.startsWith('bad/'));
    scene.clock.pass(2);
    expect(await statusesOf(scene, manifestsOf(goods))).toEqual(new Set([200]));
  });

  it('are no outage once another one has been served, however often they are requested', async () => {
    await using scene = await withImages();
    fail(scene, ({ repository = '' }) => repository.startsWith('bad/'));
    const bad = manifestsOf(['bad/app', 'bad/other', 'bad/third']);
    await statusesOf(scene, bad.slice(0, 2));
    for (const good of goods) {
      expect(await scene.see(`${good}/manifests/1.0`)).toMatchObject({ status: 200 });
      await statusesOf(scene, bad);
      scene.clock.pass(61);
    }
  });
});

describe('a server that a registry refers to', () => {
  it('and that fails to send blobs keeps no manifest from being pulled', async () => {
    await using scene = await withImages({ registry: { redirectBlobs: 307 } });
    const { redirectHosts } = scene.registry.otherPorts;
    await scene.restart({ redirectHosts });
    fail(scene, ({ kind }) => kind === 'cdn');
    const blobs = goods.slice(0, 6).map((name) => `${name}/blobs/${older.config.digest}`);
    expect(await statusesOf(scene, blobs)).toEqual(new Set([503]));
    // After three repositories, blobs are known to be out for all of them.
    expect(scene.registry.count({ kind: 'cdn' })).toBe(3);
    expect(await statusesOf(scene, manifestsOf(goods))).toEqual(new Set([200]));
    scene.registry.behaviour.before = undefined;
    scene.clock.pass(2);
    expect(await statusesOf(scene, blobs)).toEqual(new Set([200]));
  });

  it('and that issues no tokens keeps no repository from being pulled that has one', async () => {
    await using scene = await withImages({ registry: { auth: 'bearer', token: { separatePort: true } } });
    await scene.restart({ tokenRealms: scene.registry.otherPorts.tokenRealms });
    expect(await scene.see('good/app-0/manifests/1.0')).toMatchObject({ status: 200 });
    fail(scene, ({ kind }) => kind === 'token');
    expect(await statusesOf(scene, Array(6).fill('bad/app/manifests/1.0'))).toEqual(new Set([503]));
    const image = makeImage({ seed: 'pushed since' });
    scene.registry.addImage('good/app-0', image, ['2.0']);
    expect(await scene.see('good/app-0/manifests/2.0')).toMatchObject({ status: 200, digest: image.manifest.digest });
  });
});
