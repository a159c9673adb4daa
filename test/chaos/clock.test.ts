import { describe, expect, it } from 'vitest';
import { newer, older, Scene } from './support/scene.js';

const tag = 'app/manifests/1.0';
const list = 'app/tags/list';
const days = 86_400;
const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];
const jumps = [-1_000 * days, -5 * days, -1, 1, 5 * days, 1_000 * days];

describe.each(jumps)('when the time of day jumps by %d s', (jump) => {
  it('a tag is asked for at most once, and is right after that', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.jump(jump);
    for (let count = 0; count < 5; count += 1) {
      const { status, age } = await scene.see(tag);
      expect(status).toBe(200);
      expect(age).toBeGreaterThanOrEqual(0);
    }
    expect(scene.asked().filter((line) => line.startsWith('HEAD')).length).toBeLessThanOrEqual(1);
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ digest: newDigest });
  });

  it('and back again, a tag is not trusted for longer than its time', async () => {
    await using scene = await Scene.withTag();
    scene.clock.jump(jump);
    await scene.see(tag);
    scene.clock.jump(-jump);
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ digest: newDigest, age: 0 });
  });

  it('what is stored is served in an outage, with an age that is not negative', async () => {
    await using scene = await Scene.withTag();
    await scene.see(list);
    await scene.registry.stop();
    scene.clock.jump(jump);
    for (const path of [tag, list]) {
      const { status, age } = await scene.see(path);
      expect(status).toBe(200);
      expect(age).toBe(Math.max(0, jump));
    }
  });

  it('what is remembered for a while is forgotten when that time has passed, and not before', async () => {
    await using scene = await Scene.withTag();
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 404 });
    scene.registry.setTag('app', '2.0', oldDigest);
    scene.clock.jump(jump);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 404 });
    scene.clock.pass(10);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 200 });
  });

  it('an upstream that asked to be left alone is left alone for as long as that', async () => {
    await using scene = await Scene.withTag();
    scene.registry.behaviour.outage = { status: 503, retryAfter: 100 };
    await scene.see('app/manifests/2.0');
    scene.clock.jump(jump);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 503, retryAfter: 100 });
    scene.asked();
    scene.clock.pass(99);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 503, retryAfter: 1 });
    expect(scene.asked()).toEqual([]);
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(1);
    expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 404 });
  });
});

describe('a record from the future', () => {
  it('is not fresh: it is asked for, and then it is of now', async () => {
    await using scene = await Scene.withTag();
    await scene.see(list);
    scene.clock.jump(-30 * days);
    scene.asked();
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', age: 0 });
    expect(await scene.see(list)).toMatchObject({ cache: 'MISS', age: 0 });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0', 'GET tags']);
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', age: 0 });
    expect(await scene.see(list)).toMatchObject({ cache: 'HIT', age: 0 });
  });

  it('is not fresh after a restart either, and good for an outage', async () => {
    await using scene = await Scene.withTag({ upstream: { staleWhileRevalidate: 3_600_000, maxStale: 0 } });
    scene.clock.jump(-days);
    await scene.registry.stop();
    await scene.restart();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 0 });
  });
});

describe('a Retry-After that is a date', () => {
  it('has a bounded effect when the clocks of the two are days apart', async () => {
    for (const ahead of [-10 * days, 10 * days]) {
      await using scene = await Scene.withTag();
      const retryAfter = new Date(scene.clock.now() + ahead * 1000).toUTCString();
      scene.registry.behaviour.outage = { status: 503, retryAfter };
      for (let count = 0; count < 3; count += 1) await scene.see('app/manifests/2.0');
      const known = await scene.see('app/manifests/2.0');
      expect(known.retryAfter).toBeGreaterThanOrEqual(1);
      expect(known.retryAfter).toBeLessThanOrEqual(3_600);
      scene.registry.behaviour.outage = undefined;
      scene.clock.pass(3_600);
      expect(await scene.see('app/manifests/2.0')).toMatchObject({ status: 404 });
    }
  });
});
