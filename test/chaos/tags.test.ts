import { describe, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { newer, older, Scene, seen } from './support/scene.js';
import { until } from './support/gate.js';

const tag = 'app/manifests/1.0';
const minutes = 60;
const hours = 60 * minutes;
const days = 24 * hours;

const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];

/** Without the question for a challenge that a bare 401 leads to. */
const manifestsAsked = (scene: Scene) => scene.asked().filter((line) => line !== 'GET base');

describe('a tag', () => {
  it('is answered from the store while its record is fresh, without a word to the registry', async () => {
    await using scene = await Scene.withTag();
    for (const [seconds, age] of [
      [0, 0],
      [300, 300],
      [299, 599],
    ] as const) {
      scene.clock.pass(seconds);
      for (const method of ['GET', 'HEAD'] as const) {
        expect(await scene.see(tag, method)).toMatchObject({ status: 200, cache: 'HIT', age, digest: oldDigest });
      }
    }
    expect(scene.asked()).toEqual([]);
  });

  it('costs one HEAD when its record is stale, and is fresh again when it has not moved', async () => {
    await using scene = await Scene.withTag();
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', age: 0, digest: oldDigest });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0']);
    scene.clock.pass(599);
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', age: 599 });
    expect(scene.asked()).toEqual([]);
  });

  it('costs no GET in a healthy hour in which nothing changes, and a HEAD every ten minutes', async () => {
    await using scene = await Scene.withTag();
    for (let second = 0; second < 3_600; second += 15) {
      scene.clock.pass(15);
      const method = second % 30 === 0 ? 'HEAD' : 'GET';
      expect(await scene.see(tag, method)).toMatchObject({ status: 200, digest: oldDigest });
    }
    expect(scene.asked()).toEqual(Array(6).fill('HEAD manifest 1.0'));
  });

  it('is served as it is now when it has moved, for a HEAD and one GET by digest', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    const response = await scene.get(tag);
    expect(seen(response)).toMatchObject({ status: 200, cache: 'MISS', age: 0, digest: newDigest });
    expect(response.body.equals(newer.manifest.body)).toBe(true);
    expect(scene.asked()).toEqual(['HEAD manifest 1.0', `GET manifest ${newDigest}`]);
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ cache: 'HIT', digest: newDigest });
    expect(scene.asked()).toEqual([]);
  });

  it('costs no GET when it has moved to what is stored', async () => {
    await using scene = await Scene.withTag();
    for (const [image, digest] of [
      [newer, newDigest],
      [older, oldDigest],
      [newer, newDigest],
    ] as const) {
      scene.registry.addImage('app', image, ['1.0']);
      scene.clock.pass(600);
      const response = await scene.get(tag);
      expect(seen(response)).toMatchObject({ status: 200, digest });
      expect(response.body.equals(image.manifest.body)).toBe(true);
      expect(response.headers['content-type']).toBe(image.manifest.mediaType);
    }
    expect(scene.asked().filter((line) => line.startsWith('GET'))).toEqual([`GET manifest ${newDigest}`]);
  });

  it.each([401, 403, 405] as const)('is asked for by GET where HEAD is answered with %d', async (status) => {
    await using scene = await Scene.withTag({ registry: { head: { manifests: status } } });
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', digest: oldDigest });
    expect(manifestsAsked(scene)).toEqual(['HEAD manifest 1.0', 'GET manifest 1.0']);
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
    expect(manifestsAsked(scene)).toEqual(['HEAD manifest 1.0', 'GET manifest 1.0']);
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 404 });
  });

  it('is asked for by GET where HEAD names no digest', async () => {
    await using scene = await Scene.withTag({ registry: { omitDigest: true } });
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', digest: oldDigest });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0', 'GET manifest 1.0']);
  });

  it('costs one GET when it is not known, or one HEAD when a HEAD will do', async () => {
    await using scene = await Scene.set();
    scene.registry.addImage('app', older, ['1.0', '2.0']);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', age: 0, digest: oldDigest });
    expect(scene.asked()).toEqual(['GET manifest 1.0']);
    expect(await scene.see('app/manifests/2.0', 'HEAD')).toMatchObject({ status: 200, cache: 'MISS' });
    expect(scene.asked()).toEqual(['HEAD manifest 2.0']);
  });

  it('has the time of the first rule for it: never asked about again, each time, or after a while', async () => {
    const tags = [
      { pattern: 'latest', ttl: 0 },
      { pattern: 'v*', ttl: Infinity },
      { pattern: '*', ttl: hours * 1000 },
    ];
    await using scene = await Scene.withTag({ upstream: { tags, staleWhileRevalidate: days * 1000 } });
    for (const name of ['latest', 'v1', 'edge']) scene.registry.setTag('app', name, oldDigest);
    const see = (name: string) => scene.see(`app/manifests/${name}`);
    for (const name of ['latest', 'v1', 'edge']) expect(await see(name)).toMatchObject({ status: 200 });
    scene.asked();
    for (const name of ['latest', 'v1', 'edge']) expect(await see(name)).toMatchObject({ digest: oldDigest });
    expect(scene.asked()).toEqual(['HEAD manifest latest']);
    scene.registry.addImage('app', newer, ['latest', 'v1', 'edge']);
    expect(await see('latest')).toMatchObject({ digest: newDigest });
    scene.clock.pass(59 * minutes);
    expect(await see('edge')).toMatchObject({ cache: 'HIT', digest: oldDigest });
    scene.clock.pass(3_000 * days);
    expect(await see('v1')).toMatchObject({ cache: 'HIT', digest: oldDigest });
  });

  it('is asked for every time with 0s', async () => {
    await using scene = await Scene.withTag({ upstream: { tagTtl: 0 } });
    for (let count = 0; count < 5; count += 1) {
      expect(await scene.see(tag, count % 2 ? 'HEAD' : 'GET')).toMatchObject({ cache: 'REVALIDATED', age: 0 });
    }
    expect(scene.asked()).toEqual(Array(5).fill('HEAD manifest 1.0'));
  });

  it('with 0s is there as soon as the registry has it, although it was not a moment before', async () => {
    await using scene = await Scene.withTag({ upstream: { tagTtl: 0 } });
    const other = 'app/manifests/2.0';
    expect((await scene.get(other)).status).toBe(404);
    scene.registry.addImage('app', newer, ['2.0']);
    expect((await scene.get(other)).status).toBe(200);
  });

  it('is asked for practically never with a very long time', async () => {
    await using scene = await Scene.withTag({ upstream: { tagTtl: 36_525 * days * 1000 } });
    scene.clock.pass(20 * 365 * days);
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', age: 20 * 365 * days });
    expect(scene.asked()).toEqual([]);
  });

  it('is one question however many ask at the same time, stale or unknown', async () => {
    await using scene = await Scene.withTag({ registry: { delayHeaders: 100 } });
    scene.registry.addImage('app', newer, ['2.0']);
    scene.clock.pass(600);
    for (const [name, digest, asked] of [
      ['1.0', oldDigest, ['HEAD manifest 1.0']],
      ['2.0', newDigest, ['GET manifest 2.0']],
    ] as const) {
      const all = await Promise.all(Array.from({ length: 50 }, () => scene.see(`app/manifests/${name}`)));
      expect(new Set(all.map((one) => one.status))).toEqual(new Set([200]));
      expect(new Set(all.map((one) => one.digest))).toEqual(new Set([digest]));
      expect(scene.asked()).toEqual(asked);
    }
  });

  it('is one question even for those who find its record stale just as that is answered', async () => {
    await using scene = await Scene.withTag();
    for (let round = 0; round < 20; round += 1) {
      scene.clock.pass(600);
      await Promise.all(Array.from({ length: 50 }, () => scene.see(tag, 'HEAD')));
      expect(scene.asked()).toEqual(['HEAD manifest 1.0']);
    }
  });

  it('says the same to HEAD and GET in every state', async () => {
    await using scene = await Scene.withTag();
    const agree = async () => {
      const [head, get] = [await scene.get(tag, { method: 'HEAD' }), await scene.get(tag)];
      for (const name of ['docker-content-digest', 'content-type', 'content-length', 'etag'] as const) {
        expect([name, head.headers[name]]).toEqual([name, get.headers[name]]);
      }
      expect(head.status).toBe(get.status);
      expect(head.body.length).toBe(0);
    };
    await agree();
    scene.clock.pass(600);
    await agree();
    scene.registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    await agree();
    scene.clock.pass(600);
    scene.registry.behaviour.outage = { status: 503 };
    await agree();
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(600);
    scene.registry.deleteTag('app', '1.0');
    await agree();
  });

  it('survives a restart with its record and its age', async () => {
    await using scene = await Scene.withTag();
    scene.clock.pass(500);
    await scene.restart();
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', age: 500, digest: oldDigest });
    scene.clock.pass(100);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', age: 0 });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0']);
  });
});

describe('content that is addressed by its digest', () => {
  it('does not expire, whatever its tags do', async () => {
    await using scene = await Scene.withTag({ upstream: { tagTtl: 0, maxStale: 0 } });
    const layer = older.layers[0]!;
    await scene.get(`app/blobs/${layer.digest}`);
    await scene.mirror.settled();
    scene.asked();
    scene.clock.pass(1_000 * days);
    await scene.registry.stop();
    for (const method of ['GET', 'HEAD'] as const) {
      expect(await scene.see(`app/manifests/${oldDigest}`, method)).toMatchObject({ status: 200, cache: 'HIT' });
      expect(await scene.see(`app/blobs/${layer.digest}`, method)).toMatchObject({ status: 200, cache: 'HIT' });
    }
    expect(scene.asked()).toEqual([]);
  });
});

describe('stale_while_revalidate', () => {
  const upstream = { staleWhileRevalidate: 60_000 };

  it('answers at once and asks behind the answer, for the next who come', async () => {
    await using scene = await Scene.withTag({ upstream, registry: { delayHeaders: 0 } });
    scene.registry.addImage('app', newer, ['1.0']);
    scene.registry.behaviour.delayHeaders = 1_000;
    scene.clock.pass(630);
    const start = performance.now();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 630, digest: oldDigest });
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 200, cache: 'STALE', age: 630, digest: oldDigest });
    expect(performance.now() - start).toBeLessThan(900);
    await until(async () => (await scene.see(tag)).cache === 'HIT', 'the tag was revalidated');
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', age: 0, digest: newDigest });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0', `GET manifest ${newDigest}`]);
  });

  it('hides no refusal from anybody but those who were answered before it came', async () => {
    await using scene = await Scene.withTag({ upstream });
    scene.registry.deleteTag('app', '1.0');
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE' });
    await until(() => scene.registry.count() === 2 && scene.registry.inFlight === 0, 'HEAD and GET were asked');
    await until(async () => (await scene.see(tag)).status === 404, 'the refusal is passed on');
    await scene.registry.stop();
    scene.clock.pass(3_600);
    expect(await scene.see(tag)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
  });

  it('is over when it says, and then somebody waits', async () => {
    await using scene = await Scene.withTag({ upstream });
    scene.clock.pass(660);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', age: 0 });
  });
});

describe('max_stale', () => {
  it('bounds how long an outage is bridged', async () => {
    await using scene = await Scene.withTag({ upstream: { maxStale: 3_600_000 } });
    scene.registry.behaviour.outage = { status: 503 };
    scene.clock.pass(600 + 3_600);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 4_200 });
    scene.clock.pass(1);
    expect(await scene.see(tag)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(await scene.see(`app/manifests/${oldDigest}`)).toMatchObject({ status: 200, cache: 'HIT' });
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(60);
    scene.asked();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED', age: 0 });
    expect(scene.asked()).toEqual(['HEAD manifest 1.0']);
  });

  it('is no bound unless it is set', async () => {
    await using scene = await Scene.withTag();
    await scene.registry.stop();
    scene.clock.pass(1_000 * days);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 1_000 * days });
  });
});

it('a client gets 304 for a stale tag that it has already, in an outage too', async () => {
  await using scene = await Scene.withTag();
  scene.clock.pass(600);
  await scene.registry.stop();
  const headers = { 'if-none-match': `"${oldDigest}"` };
  const response = await request(`${scene.mirror.url}/v2/registry.test/${tag}`, { headers });
  expect(seen(response)).toMatchObject({ status: 304, cache: 'STALE', digest: oldDigest });
});
