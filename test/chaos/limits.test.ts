import { describe, expect, it } from 'vitest';
import { newer, older, Scene } from './support/scene.js';

const tag = 'app/manifests/1.0';
const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];
const limit = (remaining: number) => ({ limit: 100, remaining, window: 21_600 });

/** A registry that counts as Docker Hub does, with so many pulls left after the first. */
const withPulls = (remaining: number) => Scene.withTag({ registry: { rateLimit: limit(remaining + 1) } });

describe('with no pulls left', () => {
  it('a tag that has not moved is revalidated by HEAD', async () => {
    await using scene = await withPulls(0);
    for (let count = 0; count < 5; count += 1) {
      scene.clock.pass(600);
      expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', age: 0 });
    }
    expect(scene.asked()).toEqual(Array(5).fill('HEAD manifest 1.0'));
  });

  it('a tag that has moved is served stale without a GET that would only be counted', async () => {
    await using scene = await withPulls(0);
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    for (let count = 0; count < 5; count += 1) {
      expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 600, digest: oldDigest });
    }
    expect(scene.asked()).toEqual(Array(5).fill('HEAD manifest 1.0'));
    scene.registry.behaviour.rateLimit = limit(50);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
  });

  it('a tag that has moved to what is stored is served as it is now', async () => {
    await using scene = await withPulls(1);
    scene.registry.addImage('app', newer, ['2.0']);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 200 });
    scene.registry.setTag('app', '1.0', newDigest);
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', digest: newDigest });
  });

  it('what HEAD does not tell is served stale, without a GET', async () => {
    await using scene = await withPulls(0);
    scene.clock.pass(600);
    for (const change of [{ omitDigest: true }, { head: { manifests: 405 } }] as const) {
      Object.assign(scene.registry.behaviour, change);
      expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE' });
    }
    expect(scene.asked()).toEqual(Array(2).fill('HEAD manifest 1.0'));
  });

  it('the limit is logged once, and forgotten when its time is over', async () => {
    await using scene = await withPulls(0);
    scene.registry.addImage('app', newer, ['1.0']);
    for (let count = 0; count < 5; count += 1) {
      scene.clock.pass(600);
      await scene.see(tag);
    }
    const lines = () => scene.log.filter(({ context }) => context === 'Upstream').map(({ msg }) => msg);
    expect(lines()).toEqual([expect.stringContaining('no pulls left of its limit of 100 in 21600 s')]);
    scene.registry.behaviour.rateLimit = undefined;
    expect(await scene.see(tag)).toMatchObject({ cache: 'STALE' });
    scene.clock.pass(21_600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'MISS', digest: newDigest });
  });

  it('a tag that is not known is asked for, and its refusal passed on', async () => {
    await using scene = await withPulls(0);
    scene.registry.addImage('app', newer, ['2.0']);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 429, code: 'TOOMANYREQUESTS' });
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 200, digest: newDigest });
  });

  describe.each([401, 403, 404] as const)('a refusal with %d is passed on', (status) => {
    it.each(['GET', 'HEAD'] as const)('to %s, and in the request after it', async (method) => {
      await using scene = await withPulls(0);
      scene.clock.pass(600);
      scene.registry.behaviour.outage = { status };
      expect(await scene.see(tag, method)).toMatchObject({ status, digest: undefined });
      expect(scene.asked().filter((line) => line.startsWith('GET manifest'))).toEqual([]);
      scene.registry.behaviour.outage = undefined;
      expect(await scene.see(tag, method)).toMatchObject({ status, digest: undefined });
      await scene.registry.stop();
      scene.clock.pass(10);
      expect(await scene.see(tag, method)).toMatchObject({ status: 503, digest: undefined });
    });

    it('while GETs are answered 429, although that could be an outage', async () => {
      await using scene = await Scene.withTag();
      scene.clock.pass(600);
      scene.registry.behaviour.before = ({ method }, response) => {
        response.writeHead(method === 'HEAD' ? status : 429, { 'retry-after': '60' }).end();
      };
      for (let count = 0; count < 3; count += 1) {
        expect(await scene.see(tag)).toMatchObject({ status, digest: undefined });
      }
      scene.clock.pass(30);
      await scene.registry.stop();
      expect((await scene.see(tag)).digest).toBeUndefined();
    });
  });

  it('a registry that refuses every HEAD is not taken for one that refuses the tag', async () => {
    for (const status of [401, 403] as const) {
      await using scene = await Scene.withTag({ registry: { head: { manifests: status } } });
      scene.clock.pass(600);
      expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED' });
      scene.clock.pass(600);
      scene.registry.behaviour.rateLimit = limit(0);
      for (let count = 0; count < 3; count += 1) {
        expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 600 });
      }
      scene.registry.behaviour.rateLimit = undefined;
      scene.registry.behaviour.outage = { status };
      scene.clock.pass(60);
      expect(await scene.see(tag)).toMatchObject({ status });
    }
  });

  it('a registry that once refused HEAD alone is believed again when it has answered one', async () => {
    await using scene = await Scene.withTag({ registry: { head: { manifests: 403 } } });
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
    scene.registry.behaviour.head = {};
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
    scene.registry.behaviour.head = { manifests: 403 };
    scene.registry.behaviour.outage = { status: 429, methods: ['GET'] };
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 403 });
  });
});
