import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../fixtures/certificate.js';
import { until } from './support/gate.js';
import { newer, older, Scene } from './support/scene.js';
import { failures, quickly, SwitchableNames } from './support/failures.js';

const tag = 'app/manifests/1.0';
const other = 'app/manifests/2.0';
const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];
const layer = older.layers[0]!;

/** Lines about the state of the upstream, and about anything else that is wrong. */
const linesOf = (scene: Scene) =>
  scene.log.filter(({ context, level }) => context === 'Upstream' || Number(level) >= 40).map(({ msg }) => msg);

/** Asks so often, one after the other. */
async function times(count: number, ask: () => Promise<unknown>): Promise<void> {
  for (let index = 0; index < count; index += 1) await ask();
}

describe('an outage', () => {
  it.each(['500', '503', 'a refused connection', 'a reset', 'a lost name'] as const)(
    'costs the upstream three requests, and then one at a time: %s',
    async (failure) => {
      const names = new SwitchableNames();
      await using scene = await Scene.withTag({ resolver: names, upstream: { host: 'registry.internal' } });
      scene.clock.pass(600);
      await failures[failure].begin(scene.registry, names);
      const asked = () => (failure === 'a lost name' ? names.asked.length : scene.registry.count());
      const before = asked();
      await times(10, () => scene.see(tag));
      await times(10, () => scene.see(other));
      // A connection that was idle and is reset when it is used may just have ended, so that is tried again.
      const again = failure === 'a reset' ? 1 : 0;
      if (failure !== 'a refused connection') expect(asked() - before).toBe(3 + again);
      expect(linesOf(scene)).toHaveLength(1);
    },
  );

  it('is probed with longer and longer pauses, and over with the first answer', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['2.0']);
    scene.clock.pass(600);
    scene.registry.behaviour.outage = { status: 503 };
    await times(5, () => scene.see(other));
    scene.asked();
    const probes: number[] = [];
    // Eight pauses, each a fifth longer than in the middle and of whole seconds, end by then.
    for (let second = 1; second <= 230 && probes.length < 8; second += 1) {
      scene.clock.pass(1);
      await Promise.all([scene.see(tag), scene.see(other), scene.see(tag, 'HEAD'), scene.see(other, 'HEAD')]);
      const asked = scene.asked();
      expect(asked.length).toBeLessThanOrEqual(1);
      if (asked.length > 0) probes.push(second);
    }
    const pauses = probes.map((second, index) => second - (probes[index - 1] ?? 0));
    expect(pauses).toHaveLength(8);
    for (const [index, pause] of pauses.entries()) {
      const middle = Math.min(2 ** index, 60);
      expect(pause).toBeGreaterThanOrEqual(Math.floor(middle * 0.8));
      expect(pause).toBeLessThanOrEqual(Math.ceil(middle * 1.2));
    }
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(72);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED' });
    expect(await scene.see(other)).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
    expect(linesOf(scene)).toEqual([
      expect.stringContaining('serving cached content until it recovers'),
      expect.stringContaining('is available again'),
    ]);
  });

  it('is logged once, however many ask for what is stored and for what is not', async () => {
    await using scene = await Scene.withTag();
    await scene.get(`app/blobs/${layer.digest}`);
    await scene.mirror.settled();
    scene.clock.pass(600);
    await scene.registry.stop();
    const paths = [tag, other, `app/blobs/${layer.digest}`, `app/blobs/${newDigest}`, `app/manifests/${newDigest}`];
    await times(20, () => Promise.all(paths.map((path) => scene.see(path))));
    await scene.mirror.settled();
    expect(linesOf(scene)).toEqual([expect.stringContaining('serving cached content until it recovers')]);
  });

  it('does not keep whole images from being pulled that are stored, tags and all, after a restart too', async () => {
    await using scene = await Scene.withTag();
    const blobs = [older.config, ...older.layers];
    for (const { digest } of blobs) await scene.get(`app/blobs/${digest}`);
    await scene.mirror.settled();
    await scene.registry.stop();
    for (let round = 0; round < 2; round += 1) {
      scene.clock.pass(86_400);
      for (const method of ['HEAD', 'GET'] as const) {
        expect(await scene.see(tag, method)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
        expect(await scene.see(`app/manifests/${oldDigest}`, method)).toMatchObject({ status: 200, cache: 'HIT' });
        for (const { digest } of blobs) {
          expect(await scene.see(`app/blobs/${digest}`, method)).toMatchObject({ status: 200, cache: 'HIT' });
        }
      }
      await scene.restart();
    }
  });

  it('does not bring a tag back that the upstream removed before it', async () => {
    await using scene = await Scene.withTag();
    scene.registry.deleteTag('app', '1.0');
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    await scene.registry.stop();
    expect(await scene.see(tag)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    scene.clock.pass(10);
    expect(await scene.see(tag)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    await scene.restart();
    expect(await scene.see(tag)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ status: 503 });
  });

  it('may be one of TLS: a registry that does not speak it, or has a certificate that nobody vouches for', async () => {
    const certificate = makeCertificate();
    for (const [options, changes] of [
      [{}, { tls: true }],
      [
        { registry: { tls: certificate }, upstream: { tls: true, acceptInvalidCerts: true } },
        { acceptInvalidCerts: false },
      ],
    ] as const) {
      await using scene = await Scene.withTag(options);
      scene.clock.pass(600);
      await scene.restart(changes);
      await times(5, async () => {
        expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 600 });
        expect(await scene.see(other)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      });
      expect(scene.asked()).toEqual([]);
      expect(linesOf(scene)).toHaveLength(1);
    }
  });

  it('of DNS is told as an absent name for a stranger, for as long as it lasts', async () => {
    const names = new SwitchableNames();
    await using scene = await Scene.set({ resolver: names });
    names.isLost = true;
    const url = '../nowhere.example/app/manifests/1.0';
    for (let count = 0; count < 6; count += 1) {
      expect(await scene.see(url)).toMatchObject({ status: 404, code: 'NAME_UNKNOWN' });
    }
    expect(names.asked).toHaveLength(3);
  });
});

describe('an upstream that says nothing', () => {
  it('keeps the first who has a stale copy waiting for less than 2 s, and the others not at all', async () => {
    await using scene = await Scene.withTag();
    scene.registry.setTag('app', '2.0', oldDigest);
    await scene.see(other);
    scene.asked();
    scene.clock.pass(600);
    scene.registry.behaviour.before = failures.silence.before;
    const start = performance.now();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
    expect(performance.now() - start).toBeLessThan(2_000);
    const waits: number[] = [];
    for (let count = 0; count < 100; count += 1) {
      const before = performance.now();
      const path = count % 2 ? tag : other;
      expect(await scene.see(path, count % 3 ? 'GET' : 'HEAD')).toMatchObject({ status: 200, cache: 'STALE' });
      waits.push(performance.now() - before);
    }
    waits.sort((a, b) => a - b);
    expect(waits[95]).toBeLessThan(50);
    // One question for each tag has been asked, and still waits.
    expect(scene.asked()).toHaveLength(2);
  });

  it('is an outage after three deadlines, and nobody waits for it after that', async () => {
    await using scene = await Scene.withTag();
    scene.clock.pass(600);
    scene.registry.behaviour.before = failures.silence.before;
    await quickly(() =>
      times(3, async () => expect(await scene.see(other)).toMatchObject({ status: 504, code: 'TIMEOUT' })),
    );
    const start = performance.now();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE' });
    expect(await scene.see(other)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(performance.now() - start).toBeLessThan(500);
    expect(scene.asked()).toHaveLength(3);
  });

  it('keeps those who ask for a stored list waiting for less than 2 s, and the next not at all', async () => {
    await using scene = await Scene.withTag();
    const list = 'app/tags/list';
    await scene.see(list);
    scene.clock.pass(30);
    scene.registry.behaviour.before = failures.silence.before;
    const start = performance.now();
    expect(await scene.see(list)).toMatchObject({ status: 200, cache: 'STALE', age: 30 });
    expect(performance.now() - start).toBeLessThan(2_000);
    const next = performance.now();
    for (let count = 0; count < 10; count += 1) expect(await scene.see(list)).toMatchObject({ cache: 'STALE' });
    expect(performance.now() - next).toBeLessThan(500);
    // That lists take long says nothing of tags.
    scene.registry.behaviour.before = undefined;
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
  });
});

describe('Retry-After', () => {
  it.each([
    ['in seconds', () => '120', 120],
    ['as a date', (now: number) => new Date(now + 120_000).toUTCString(), 120],
    ['absurdly long, for an hour', () => '999999999', 3_600],
    ['as a date in the far future, for an hour', () => 'Fri, 31 Dec 9999 23:59:59 GMT', 3_600],
  ] as const)('is obeyed %s, and passed on', async (_, write, seconds) => {
    await using scene = await Scene.withTag();
    scene.clock.pass(600);
    scene.registry.behaviour.outage = { status: 503, retryAfter: write(scene.clock.now()) };
    const first = await scene.see(other);
    expect(first).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(first.retryAfter).toBeGreaterThanOrEqual(seconds);
    expect(await scene.see(other)).toMatchObject({ status: 503, retryAfter: seconds });
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE' });
    scene.clock.pass(seconds - 1);
    expect(await scene.see(other)).toMatchObject({ status: 503, retryAfter: 1 });
    expect(scene.asked()).toEqual(['GET manifest 2.0']);
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(1);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
  });

  it.each([
    'soon',
    '-5',
    '1e9',
    '12 parsecs',
    '',
    'Thu, 32 Foo 2026 99:99:99 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    '0',
  ])('is ignored when it is %j', async (retryAfter) => {
    await using scene = await Scene.withTag();
    scene.registry.behaviour.outage = { status: 503, retryAfter };
    await times(3, () => scene.see(other));
    const known = await scene.see(other);
    expect(known).toMatchObject({ status: 503 });
    expect(known.retryAfter).toBeGreaterThanOrEqual(1);
    expect(known.retryAfter).toBeLessThanOrEqual(2);
  });
});

describe('429 to a manifest GET', () => {
  it('leaves HEADs, blobs and lists alone, and is passed on with its Retry-After', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['2.0']);
    scene.registry.behaviour.outage = { status: 429, kinds: ['manifest'], methods: ['GET'], retryAfter: 300 };
    expect(await scene.see(other)).toMatchObject({ status: 429, code: 'TOOMANYREQUESTS', retryAfter: 300 });
    scene.asked();
    scene.clock.pass(100);
    await times(5, async () =>
      expect(await scene.see(other)).toMatchObject({ status: 429, code: 'TOOMANYREQUESTS', retryAfter: 200 }),
    );
    expect(scene.asked()).toEqual([]);
    expect(await scene.see(other, 'HEAD')).toMatchObject({ status: 200, digest: newDigest });
    expect(await scene.see(`app/blobs/${newer.layers[0]!.digest}`)).toMatchObject({ status: 200 });
    expect(await scene.see('app/tags/list')).toMatchObject({ status: 200 });
    scene.clock.pass(500);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'REVALIDATED' });
  });

  it('is answered from the store where there is something, marked as stale', async () => {
    await using scene = await Scene.withTag();
    scene.registry.addImage('app', newer, ['1.0']);
    scene.registry.behaviour.outage = { status: 429, kinds: ['manifest'], methods: ['GET'] };
    scene.clock.pass(600);
    await times(10, async () => expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', age: 600 }));
    expect(scene.asked().filter((line) => line.startsWith('GET'))).toHaveLength(1);
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(2);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', digest: newDigest });
  });
});

describe('a refusal', () => {
  const signature = `sha256-${'a'.repeat(64)}.sig`;

  it.each([
    ['404', '3.0', 404, 10],
    ['401', '3.0', 401, 10],
    ['403', '3.0', 403, 10],
    ['404', signature, 404, 30],
    ['403', signature, 403, 10],
  ] as const)('with %s of %s is remembered', async (_, name, status, seconds) => {
    await using scene = await Scene.withTag();
    scene.registry.behaviour.outage = { status };
    const path = `app/manifests/${name}`;
    await times(20, async () => expect(await scene.see(path)).toMatchObject({ status }));
    expect(scene.asked().filter((line) => line.startsWith('GET manifest'))).toHaveLength(1);
    scene.registry.behaviour.outage = undefined;
    scene.registry.setTag('app', name, oldDigest);
    scene.clock.pass(seconds - 0.1);
    expect(await scene.see(path)).toMatchObject({ status });
    expect(scene.asked()).toEqual([]);
    scene.clock.pass(0.1);
    expect(await scene.see(path)).toMatchObject({ status: 200, digest: oldDigest });
  });

  it('is not remembered when it is 429 or 5xx', async () => {
    for (const status of [429, 503]) {
      await using scene = await Scene.withTag();
      scene.registry.setTag('app', '2.0', oldDigest);
      scene.registry.behaviour.outage = { status, times: 1 };
      expect(await scene.see(other)).toMatchObject({ status });
      scene.clock.pass(2);
      expect(await scene.see(other)).toMatchObject({ status: 200 });
    }
  });

  it('of a manifest does not hide a blob with the same digest, nor the other way round', async () => {
    await using scene = await Scene.withTag();
    expect(await scene.see(`app/manifests/${layer.digest}`)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
    expect(await scene.see(`app/blobs/${layer.digest}`)).toMatchObject({ status: 200 });
    expect(await scene.see(`app/blobs/${newDigest}`)).toMatchObject({ status: 404, code: 'BLOB_UNKNOWN' });
    scene.registry.addImage('app', newer);
    expect(await scene.see(`app/manifests/${newDigest}`)).toMatchObject({ status: 200 });
  });

  it('is one question however many ask, also of blobs and lists', async () => {
    await using scene = await Scene.withTag();
    for (const path of [other, `app/blobs/${newDigest}`, `app/manifests/${newDigest}`, 'absent/tags/list']) {
      const all = await Promise.all(Array.from({ length: 30 }, () => scene.see(path)));
      expect(new Set(all.map(({ status }) => status))).toEqual(new Set([404]));
      expect(scene.asked()).toHaveLength(1);
    }
  });
});

describe('a mirror without any network', () => {
  it('starts, says that it is there, and serves all it has although its tags have expired', async () => {
    const names = new SwitchableNames();
    await using scene = await Scene.withTag({ resolver: names, upstream: { host: 'registry.internal' } });
    for (const { digest } of [older.config, ...older.layers]) await scene.get(`app/blobs/${digest}`);
    expect(await scene.see('app/tags/list')).toMatchObject({ status: 200 });
    await scene.mirror.settled();
    await scene.registry.stop();
    names.isLost = true;
    scene.clock.pass(7 * 86_400);
    await scene.restart();
    expect(await scene.mirror.request.get('/v2/').then(({ status }) => status)).toBe(200);
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
    for (const { digest } of [older.config, ...older.layers]) {
      expect(await scene.see(`app/blobs/${digest}`)).toMatchObject({ status: 200, cache: 'HIT' });
    }
    expect(await scene.see('app/tags/list')).toMatchObject({ status: 200, cache: 'STALE', age: 7 * 86_400 });
    expect(await scene.see(other)).toMatchObject({ status: 503 });
    await until(() => scene.registry.inFlight === 0, 'nothing is asked');
  });
});
