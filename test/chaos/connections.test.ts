import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { Gate, until } from './support/gate.js';
import { makeBlob, makeImage, type FixtureBlob } from '../fixtures/images.js';
import { older, Scene } from './support/scene.js';
import { quickly } from './support/failures.js';

const tag = 'app/manifests/1.0';

/** Blobs of a repository, which the registry holds back until the gate opens. */
function heldBlobs(scene: Scene, gate: Gate, repositories: readonly string[], count: number) {
  const blobs = repositories.flatMap((repository) =>
    Array.from({ length: count }, (_, index) => {
      const blob = makeBlob(100_000, `${repository} ${index}`);
      scene.registry.addBlob(repository, blob);
      return { repository, blob };
    }),
  );
  scene.registry.behaviour.before = async ({ kind, method }) => {
    if (kind === 'blob' && method === 'GET') await gate.opened;
  };
  return blobs;
}

const pathOf = ({ repository, blob }: { repository: string; blob: FixtureBlob }) =>
  `${repository}/blobs/${blob.digest}`;

describe('connections to an upstream', () => {
  it.each([2, 5, 16, 64])('are never more than %d at a time, and everybody is answered', async (maxConnections) => {
    await using scene = await Scene.set({ upstream: { maxConnections } });
    scene.registry.behaviour.delayHeaders = 10;
    const images = Array.from({ length: 30 }, (_, index) =>
      makeImage({ seed: `image ${index}`, layers: [100, 70_000] }),
    );
    for (const [index, image] of images.entries()) scene.registry.addImage(`app-${index % 5}`, image, [`v${index}`]);
    const paths = images.flatMap(({ manifest, config, layers }, index) => {
      const repository = `app-${index % 5}`;
      const blobs = [config, ...layers].map(({ digest }) => `${repository}/blobs/${digest}`);
      return [
        `${repository}/manifests/v${index}`,
        `${repository}/manifests/${manifest.digest}`,
        ...blobs,
        `${repository}/tags/list`,
      ];
    });
    const replies = await Promise.all(paths.map((path) => scene.get(path)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(scene.registry.peakInFlight).toBeLessThanOrEqual(maxConnections);
    expect(scene.registry.peakInFlight).toBeGreaterThan(1);
  });

  it('may be more than 64 where the operator says so', async () => {
    const gate = new Gate();
    await using scene = await Scene.set({ upstream: { maxConnections: 200 }, server: { maxDownloads: 150 } });
    const blobs = heldBlobs(scene, gate, ['app'], 100);
    const all = Promise.all(blobs.map((blob) => scene.get(pathOf(blob))));
    await until(() => scene.registry.inFlight === 100, 'a hundred blobs are on their way').finally(() => gate.open());
    expect(new Set((await all).map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('let short requests pass while blobs hold all of theirs', async () => {
    const gate = new Gate();
    await using scene = await Scene.withTag({ upstream: { maxConnections: 4 } });
    const blobs = heldBlobs(scene, gate, ['app'], 10);
    const all = Promise.all(blobs.map((blob) => scene.get(pathOf(blob))));
    await until(() => scene.registry.inFlight === 2, 'the blobs hold their connections');
    scene.clock.pass(600);
    const start = performance.now();
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
    expect(await scene.see('app/tags/list')).toMatchObject({ status: 200 });
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(scene.registry.peakInFlight).toBeLessThanOrEqual(3);
    gate.open();
    expect(new Set((await all).map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('are given to repositories in turn', async () => {
    const gate = new Gate();
    await using scene = await Scene.set({ upstream: { maxConnections: 2 }, server: { maxDownloads: 100 } });
    const greedy = heldBlobs(scene, gate, ['greedy'], 40);
    const modest = heldBlobs(scene, gate, ['modest'], 2);
    const first = Promise.all(greedy.map((blob) => scene.get(pathOf(blob))));
    await until(() => scene.registry.inFlight === 1, 'the first has its connection');
    const second = Promise.all(modest.map((blob) => scene.get(pathOf(blob))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    gate.open();
    await Promise.all([first, second]);
    const order = scene.registry.select({ kind: 'blob' }).map(({ repository }) => repository);
    expect(order.lastIndexOf('modest')).toBeLessThan(6);
    expect(order).toHaveLength(42);
  });

  it('are waited for only so long', async () => {
    const gate = new Gate();
    await using scene = await Scene.set({ upstream: { maxConnections: 2 } });
    const [held, waiting] = [makeBlob(900_000, 'held'), makeBlob(1_000, 'waiting')];
    for (const blob of [held, waiting]) scene.registry.addBlob('app', blob);
    scene.registry.behaviour.before = async ({ reference }, response) => {
      if (reference !== held.digest) return;
      response.writeHead(200, { 'content-length': held.body.length });
      let sent = 0;
      const drip = setInterval(() => response.write(held.body.subarray(sent, (sent += 1_000))), 20);
      await gate.opened;
      clearInterval(drip);
      response.end(held.body.subarray(sent));
    };
    const first = scene.get(`app/blobs/${held.digest}`);
    await until(() => scene.registry.inFlight === 1, 'the first has its connection');
    const seconds = await quickly(async () => {
      expect(await scene.see(`app/blobs/${waiting.digest}`)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    });
    expect(seconds).toBeGreaterThanOrEqual(19);
    expect(seconds).toBeLessThan(25);
    expect(scene.asked()).toHaveLength(1);
    gate.open();
    expect((await first).body.equals(held.body)).toBe(true);
    await scene.mirror.settled();
    expect((await scene.get(`app/blobs/${waiting.digest}`)).status).toBe(200);
  });

  it('are free again after a thousand requests that ended in every way there is', async () => {
    await using scene = await Scene.set({ upstream: { maxConnections: 2, tagTtl: 0 } });
    scene.registry.addImage('app', older, ['1.0']);
    const layer = older.layers[0]!;
    scene.registry.behaviour.before = ({ url }, response) => {
      const digest = createHash('sha256').update(url).digest();
      const mode = digest[0]! % 12;
      if (mode === 0) response.socket?.resetAndDestroy();
      if (mode === 1) response.writeHead(200, { 'content-length': 500 }).write('cut', () => response.socket?.end());
      if (mode === 2) response.writeHead(401).end('no');
      if (mode === 3) response.writeHead(403, { 'content-length': 200_000 }).end(Buffer.alloc(200_000));
      if (mode === 4) response.writeHead(500).end('no');
      if (mode === 5) response.writeHead(429, { 'retry-after': '1' }).end('no');
      if (mode === 6) response.writeHead(304).end();
      if (mode === 7) response.writeHead(204).end();
      if (mode === 8) response.writeHead(302, { location: '/v2/elsewhere' }).end();
      if (mode === 9) response.writeHead(200, { 'content-type': 'text/html' }).end('<p>');
    };
    const kinds = [
      (index: number) => scene.get(`app/manifests/t${index}`),
      (index: number) => scene.get(`app/manifests/t${index}`, { method: 'HEAD' }),
      (index: number) => scene.get(`app/manifests/sha256:${hex(index)}`),
      (index: number) => scene.get(`app/manifests/sha256:${hex(index)}`, { method: 'HEAD' }),
      (index: number) => scene.get(`app/blobs/sha256:${hex(index)}`),
      (index: number) => scene.get(`app/blobs/sha256:${hex(index)}`, { method: 'HEAD' }),
      (index: number) => scene.get(`app/tags/list?n=${index}`),
      (index: number) => scene.get(`app/referrers/sha256:${hex(index)}`),
      () => scene.get(tag),
      (index: number) => leaving(scene, `app/blobs/sha256:${hex(index)}`),
    ];
    await quickly(async () => {
      for (let index = 0; index < 1_000; index += 10) {
        await Promise.all(kinds.map((ask, kind) => ask(index + kind).catch(() => undefined)));
        scene.clock.pass(3_600);
      }
      await scene.mirror.settled();
    });
    scene.registry.behaviour.before = undefined;
    scene.clock.pass(3_600);
    await until(() => scene.registry.inFlight === 0, 'nothing is under way');
    const start = performance.now();
    for (const path of [tag, `app/blobs/${layer.digest}`, 'app/tags/list', `app/referrers/${older.manifest.digest}`]) {
      expect([path, (await scene.get(path)).status]).toEqual([path, 200]);
      expect((await scene.get(path.replace('1.0', '2.0'), { method: 'HEAD' })).status).toBeLessThan(500);
    }
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('are free again when clients leave', async () => {
    await using scene = await Scene.set({ upstream: { maxConnections: 2 } });
    for (let round = 0; round < 20; round += 1) {
      const blob = makeBlob(1_000_000, `left ${round}`);
      scene.registry.addBlob('app', blob);
      await leaving(scene, `app/blobs/${blob.digest}`);
    }
    await scene.mirror.settled();
    const last = makeBlob(1_000, 'last');
    scene.registry.addBlob('app', last);
    expect((await scene.get(`app/blobs/${last.digest}`)).status).toBe(200);
  });
});

const hex = (index: number) => createHash('sha256').update(String(index)).digest('hex');

/** A client that goes away as soon as it has asked. */
async function leaving(scene: Scene, path: string): Promise<void> {
  const left = AbortSignal.timeout(5);
  await request(`${scene.mirror.url}/v2/registry.test/${path}`, { signal: left }).catch(() => undefined);
}
