import { describe, expect, it } from 'vitest';
import { makeArtifact } from '../fixtures/images.js';
import { older, Scene } from './support/scene.js';
import { storedFiles } from './support/stored.js';

const artifact = makeArtifact(older);
const tags = 'app/tags/list';
const referrers = `app/referrers/${older.manifest.digest}`;
const kindOf = { [tags]: 'tags', [referrers]: 'referrers' } as const;

async function withLists(): Promise<Scene> {
  const scene = await Scene.set();
  scene.registry.addImage('app', older, ['1.0', '2.0']);
  scene.registry.addImage('app', artifact);
  return scene;
}

describe.each([tags, referrers])('a list, %s,', (path) => {
  it('is kept for 30 s, and then had anew', async () => {
    await using scene = await withLists();
    const first = await scene.get(path);
    expect(await scene.see(path)).toMatchObject({ status: 200, cache: 'HIT', age: 0 });
    scene.clock.pass(29.9);
    expect(await scene.see(path, 'HEAD')).toMatchObject({ status: 200, cache: 'HIT', age: 29 });
    expect(scene.asked()).toHaveLength(1);
    scene.registry.setTag('app', '3.0', older.manifest.digest);
    scene.registry.addImage('app', makeArtifact(older, { seed: 'another' }));
    scene.clock.pass(0.1);
    const next = await scene.get(path);
    expect(next.headers).toMatchObject({ 'x-cache': 'MISS', age: '0' });
    expect(next.body.length).toBeGreaterThan(first.body.length);
    expect(scene.asked()).toHaveLength(1);
  });

  it('is one question however many ask', async () => {
    await using scene = await withLists();
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 50 }, () => scene.see(path)));
      expect(scene.asked()).toHaveLength(1);
      scene.clock.pass(30);
    }
  });

  it('is served stale in an outage, after a restart too, and as it is afterwards', async () => {
    await using scene = await withLists();
    const first = await scene.get(path);
    await scene.registry.stop();
    for (const age of [3_600, 7_200]) {
      scene.clock.pass(3_600);
      const stale = await scene.get(path);
      expect(stale.headers).toMatchObject({ 'x-cache': 'STALE', age: String(age) });
      expect(stale.body.equals(first.body)).toBe(true);
      await scene.restart();
    }
    await scene.registry.restart();
    expect(await scene.see(path)).toMatchObject({ status: 200, cache: 'MISS', age: 0 });
  });

  it('costs an upstream that is out of order a request, and no more until it may be asked again', async () => {
    await using scene = await withLists();
    await scene.see(path);
    scene.clock.pass(30);
    scene.asked();
    scene.registry.behaviour.outage = { status: 503, retryAfter: 60 };
    for (let count = 0; count < 20; count += 1) expect(await scene.see(path)).toMatchObject({ cache: 'STALE' });
    expect(scene.asked()).toHaveLength(1);
    scene.clock.pass(60);
    scene.registry.behaviour.outage = undefined;
    expect(await scene.see(path)).toMatchObject({ cache: 'MISS' });
  });

  it('that cannot be had does not keep other lists, tags or blobs from being had', async () => {
    await using scene = await withLists();
    scene.registry.behaviour.outage = { status: 500, kinds: [kindOf[path]!] };
    for (let count = 0; count < 10; count += 1) {
      expect(await scene.see(path)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    }
    expect(scene.asked()).toHaveLength(1);
    expect(await scene.see(path === tags ? referrers : tags)).toMatchObject({ status: 200 });
    expect(await scene.see('app/manifests/1.0')).toMatchObject({ status: 200 });
    expect(await scene.see(`app/blobs/${older.config.digest}`)).toMatchObject({ status: 200 });
  });
});

describe('lists', () => {
  it('of different queries are kept apart', async () => {
    await using scene = await withLists();
    const bodies = new Map<string, string>();
    for (const query of ['', '?n=1', '?n=1&last=1.0', '?last=1.0']) {
      bodies.set(query, (await scene.get(tags + query)).body.toString());
    }
    expect(new Set(bodies.values()).size).toBe(3);
    for (const [query, body] of bodies) {
      const again = await scene.get(tags + query);
      expect([again.headers['x-cache'], again.body.toString()]).toEqual(['HIT', body]);
    }
  });

  it('are a bounded number of files for a repository, whatever clients ask for', async () => {
    await using scene = await withLists();
    for (let start = 0; start < 400; start += 40) {
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          const response = await scene.get(`${tags}?last=x${start + index}`);
          expect(JSON.parse(response.body.toString())).toEqual({ name: 'app', tags: [] });
        }),
      );
    }
    const files = (await storedFiles(scene.mirror)).filter((file) => file.includes('/_lists/'));
    expect(files.length).toBeGreaterThan(32);
    expect(files.length).toBeLessThanOrEqual(64);
    expect((await storedFiles(scene.mirror)).filter((file) => file.startsWith('damaged/'))).toEqual([]);
  });

  it('that took the place of another are not mistaken for it in an outage', async () => {
    await using scene = await withLists();
    for (let index = 0; index < 200; index += 1) await scene.get(`${tags}?last=0.${index}`);
    await scene.get(`${tags}?last=1.0`);
    await scene.registry.stop();
    scene.clock.pass(30);
    for (let index = 0; index < 200; index += 10) {
      const { status, body } = await scene.get(`${tags}?last=0.${index}`);
      if (status === 200) expect(JSON.parse(body.toString())).toEqual({ name: 'app', tags: ['1.0', '2.0'] });
      else expect(status).toBe(503);
    }
    expect(JSON.parse((await scene.get(`${tags}?last=1.0`)).body.toString())).toEqual({ name: 'app', tags: ['2.0'] });
  });

  it('of referrers that the registry does not know are 404 from memory for 10 s', async () => {
    await using scene = await withLists();
    scene.registry.behaviour.referrers = 'missing';
    for (let count = 0; count < 20; count += 1) {
      expect(await scene.see(referrers)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    }
    expect(scene.asked()).toHaveLength(1);
    scene.registry.behaviour.referrers = 'native';
    scene.clock.pass(10);
    expect(await scene.see(referrers)).toMatchObject({ status: 200, cache: 'MISS' });
  });
});
