import { describe, expect, it } from 'vitest';
import { makeImage } from '../fixtures/images.js';
import { newer, older, Scene, type SceneOptions } from './support/scene.js';

const tag = 'app/manifests/1.0';
const blob = `app/blobs/${older.layers[0]!.digest}`;
const length = older.layers[0]!.body.length;
const statuses = [400, 401, 403, 404, 405, 501] as const;
/** Those that say nothing about permission, so that they are about the registry. */
const remembered = [400, 404, 405, 501] as const;

async function withImage(options: SceneOptions = {}): Promise<Scene> {
  const scene = await Scene.set(options);
  scene.registry.addImage('app', older, ['1.0']);
  return scene;
}

describe.each(statuses)('a registry that responds %d to HEAD', (status) => {
  it('of manifests has its tags described by GET, also those that move', async () => {
    await using scene = await withImage({ registry: { head: { manifests: status } } });
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200, digest: older.manifest.digest });
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200, digest: newer.manifest.digest });
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'HIT', digest: newer.manifest.digest });
  });

  it('of manifests has manifests by digest described by GET', async () => {
    await using scene = await withImage({ registry: { head: { manifests: status } } });
    const path = `app/manifests/${older.manifest.digest}`;
    expect(await scene.see(path, 'HEAD')).toMatchObject({ status: 200, digest: older.manifest.digest });
  });

  it('of blobs has them described by GET', async () => {
    await using scene = await withImage({ registry: { head: { blobs: status } } });
    const { status: responded, headers } = await scene.get(blob, { method: 'HEAD' });
    expect([responded, headers['content-length']]).toEqual([200, String(length)]);
  });

  it('has absent content reported as absent', async () => {
    await using scene = await withImage({ registry: { head: { manifests: status, blobs: status } } });
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 404 });
    const absent = newer.layers[0]!.digest;
    expect(await scene.see(`app/blobs/${absent}`, 'HEAD')).toMatchObject({ status: 404 });
  });
});

describe.each(remembered)('a registry whose GET works after a HEAD was responded to with %d', (status) => {
  it('receives no more HEADs for ten minutes, whatever the repository', async () => {
    await using scene = await withImage({ registry: { head: { manifests: status, blobs: status } } });
    const images = [1, 2, 3].map((seed) => makeImage({ seed: `image ${seed}` }));
    for (const [index, image] of images.entries()) scene.registry.addImage(`other-${index}`, image, ['1.0']);
    const describeAll = async () => {
      for (const [index, image] of images.entries()) {
        expect(await scene.see(`other-${index}/manifests/1.0`, 'HEAD')).toMatchObject({ status: 200 });
        expect(await scene.see(`other-${index}/blobs/${image.config.digest}`, 'HEAD')).toMatchObject({ status: 200 });
      }
      return scene.asked().filter((line) => line.startsWith('HEAD'));
    };
    expect(await describeAll()).toHaveLength(2);
    scene.clock.pass(590);
    expect(await describeAll()).toHaveLength(0);
    scene.clock.pass(600);
    expect(await describeAll()).toHaveLength(2);
  });

  it('serves a tag stale while it fails, and it as it is afterwards', async () => {
    await using scene = await withImage({ registry: { head: { manifests: status } }, upstream: { tagTtl: 60_000 } });
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200 });
    scene.registry.addImage('app', newer, ['1.0']);
    scene.registry.behaviour.outage = { status: 503, methods: ['GET'] };
    scene.clock.pass(60);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: older.manifest.digest });
    scene.registry.behaviour.outage = undefined;
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', digest: newer.manifest.digest });
  });
});

describe('a registry that supports HEAD', () => {
  it('is believed when it responds 404, at no GET that may count as a pull', async () => {
    const rateLimit = { limit: 100, remaining: 100, window: 21_600 };
    await using scene = await withImage({ registry: { rateLimit } });
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200 });
    scene.asked();
    for (let index = 0; index < 10; index += 1) {
      expect(await scene.see(`app/manifests/absent-${index}`, 'HEAD')).toMatchObject({ status: 404 });
      scene.clock.pass(30);
    }
    expect(scene.asked()).toEqual(Array.from({ length: 10 }, (_, index) => `HEAD manifest absent-${index}`));
    expect(rateLimit.remaining).toBe(100);
  });

  it('costs one GET at most for absent content before that is known', async () => {
    await using scene = await withImage();
    expect(await scene.see('app/manifests/absent', 'HEAD')).toMatchObject({ status: 404 });
    expect(await scene.see('app/manifests/absent', 'HEAD')).toMatchObject({ status: 404 });
    expect(scene.asked()).toEqual(['HEAD manifest absent', 'GET manifest absent']);
  });

  it('receives HEADs still after one that failed in passing', async () => {
    await using scene = await withImage();
    scene.registry.setTag('app', '2.0', older.manifest.digest);
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200 });
    scene.registry.behaviour.outage = { status: 405, methods: ['HEAD'], times: 1 };
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 200 });
    scene.asked();
    scene.clock.pass(600);
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 200, cache: 'REVALIDATED' });
    expect(scene.asked()).toEqual(['HEAD manifest 2.0']);
  });
});
