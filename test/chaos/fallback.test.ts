import { describe, expect, it } from 'vitest';
import { EndpointSettings } from '../../src/config/upstream.settings.js';
import { FakeRegistry, type FakeRegistryOptions } from '../fakes/fake-registry.js';
import * as scripted from '../fakes/scripted-upstream.js';
import { ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { makeBlob } from '../fixtures/images.js';
import { pull } from './support/client.js';
import { newer, older, Scene, type SceneOptions } from './support/scene.js';

const tag = 'app/manifests/1.0';
const other = 'app/manifests/2.0';
const [oldDigest, newDigest] = [older.manifest.digest, newer.manifest.digest];
const layer = older.layers[0]!;

const endpoint = (host: string, more: Partial<Omit<EndpointSettings, 'password'>> & { password?: string } = {}) =>
  Object.assign(new EndpointSettings(), { host, tls: false, ...more });

/** A scene with further registries that stand in for its own, in this order. */
class Fallbacks implements AsyncDisposable {
  private constructor(
    readonly scene: Scene,
    readonly others: readonly FakeRegistry[],
  ) {}

  static async set(
    settings: readonly (FakeRegistryOptions & { password?: string })[],
    options: SceneOptions = {},
  ): Promise<Fallbacks> {
    const others = await Promise.all(settings.map(({ password: _, ...behaviour }) => FakeRegistry.start(behaviour)));
    const fallbackHosts = others.map(({ host }, index) => {
      const password = settings[index]?.password;
      return endpoint(host, password === undefined ? {} : { username: 'user', password });
    });
    const scene = await Scene.set({ ...options, upstream: { ...options.upstream, fallbackHosts } });
    for (const registry of [scene.registry, ...others]) registry.addImage('app', older, ['1.0']);
    return new Fallbacks(scene, others);
  }

  /** Requests to each registry, the main one first. */
  counts(): number[] {
    return [this.scene.registry, ...this.others].map((registry) => {
      const count = registry.count();
      registry.reset();
      return count;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
    for (const other of this.others) await other.close();
  }
}

describe('fallback hosts', () => {
  it('are left alone while the registry answers, whatever it answers', async () => {
    await using stage = await Fallbacks.set([{}]);
    const { scene } = stage;
    expect(await scene.see(tag)).toMatchObject({ status: 200, fallback: undefined });
    expect(await scene.see(`app/blobs/${layer.digest}`)).toMatchObject({ status: 200 });
    for (const status of [401, 403, 404]) {
      scene.registry.behaviour.outage = { status };
      stage.others[0]!.setTag('app', `t${status}`, oldDigest);
      expect(await scene.see(`app/manifests/t${status}`)).toMatchObject({ status, fallback: undefined });
    }
    expect(stage.counts()[1]).toBe(0);
  });

  it('are asked in their order during an outage, and named in the answer', async () => {
    await using stage = await Fallbacks.set([{}, {}]);
    const { scene, others } = stage;
    await scene.registry.stop();
    expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'MISS', fallback: others[0]!.host });
    expect(stage.counts()).toEqual([0, 1, 0]);
    await others[0]!.stop();
    others[1]!.setTag('app', '2.0', oldDigest);
    expect(await scene.see(other)).toMatchObject({ status: 200, fallback: others[1]!.host });
    expect(await scene.see(`app/blobs/${layer.digest}`)).toMatchObject({ status: 200 });
    expect(stage.counts()).toEqual([0, 0, 2]);
  });

  it('are asked when the registry limits us, and a limit on manifests does not send blobs to them', async () => {
    await using stage = await Fallbacks.set([{}]);
    const { scene, others } = stage;
    scene.registry.behaviour.outage = { status: 429, kinds: ['manifest'], methods: ['GET'], retryAfter: 60 };
    expect(await scene.see(tag)).toMatchObject({ status: 200, fallback: others[0]!.host });
    expect(await scene.see(`app/blobs/${layer.digest}`)).toMatchObject({ status: 200 });
    expect(stage.counts()).toEqual([2, 1]);
  });

  it('stay named while what they said is served, also after a restart, and no longer than that', async () => {
    await using stage = await Fallbacks.set([{}]);
    const { scene, others } = stage;
    const fallback = others[0]!.host;
    await scene.registry.stop();
    expect(await scene.see(tag)).toMatchObject({ cache: 'MISS', fallback });
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', fallback });
    await scene.restart();
    expect(await scene.see(tag, 'HEAD')).toMatchObject({ cache: 'HIT', fallback });
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', fallback });
    await others[0]!.stop();
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ cache: 'STALE', fallback });
    await scene.registry.restart();
    scene.clock.pass(60);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', fallback: undefined });
    expect(await scene.see(tag)).toMatchObject({ cache: 'HIT', fallback: undefined });
  });

  it('are named when one of them said where a tag points to, wherever the content came from', async () => {
    await using stage = await Fallbacks.set([{}]);
    const { scene, others } = stage;
    await scene.see(tag);
    for (const registry of [scene.registry, others[0]!]) registry.addImage('app', newer, ['1.0']);
    scene.clock.pass(600);
    scene.registry.behaviour.outage = { status: 503, methods: ['HEAD'] };
    expect(await scene.see(tag)).toMatchObject({ cache: 'MISS', digest: newDigest, fallback: others[0]!.host });
    scene.registry.addImage('app', older, ['1.0']);
    scene.registry.behaviour.outage = { status: 503, methods: ['GET'] };
    scene.clock.pass(600);
    expect(await scene.see(tag)).toMatchObject({ digest: oldDigest, fallback: undefined });
  });

  it('are not believed when they refuse: the registry itself is what counts', async () => {
    for (const status of [401, 403, 404]) {
      await using stage = await Fallbacks.set([{}]);
      const { scene, others } = stage;
      await scene.see(tag);
      scene.clock.pass(600);
      await scene.registry.stop();
      others[0]!.behaviour.outage = { status };
      expect(await scene.see(tag)).toMatchObject({ status: 200, cache: 'STALE', digest: oldDigest });
      expect(await scene.see(other)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      await scene.registry.restart();
      scene.clock.pass(60);
      expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED' });
      scene.registry.setTag('app', '2.0', oldDigest);
      expect(await scene.see(other)).toMatchObject({ status: 200, fallback: undefined });
    }
  });

  it('do not hide a refusal by the registry, in the next request either, nor when only HEAD tells of it', async () => {
    for (const status of [401, 403, 404]) {
      for (const kind of ['all', 'limited'] as const) {
        await using stage = await Fallbacks.set([{}]);
        const { scene } = stage;
        await scene.see(tag);
        scene.clock.pass(600);
        if (kind === 'all') scene.registry.behaviour.outage = { status };
        else {
          scene.registry.behaviour.before = ({ method }, response) => {
            response.writeHead(method === 'HEAD' ? status : 429, { 'retry-after': '600' }).end();
          };
        }
        for (const method of ['GET', 'HEAD', 'GET'] as const) {
          expect(await scene.see(tag, method)).toMatchObject({ status, digest: undefined });
        }
      }
    }
  });

  it('are left for the registry again once it is back', async () => {
    await using stage = await Fallbacks.set([{}], { upstream: { tagTtl: 0 } });
    const { scene, others } = stage;
    await scene.see(tag);
    scene.registry.behaviour.outage = { status: 503 };
    for (let count = 0; count < 10; count += 1) {
      expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', fallback: others[0]!.host });
    }
    expect(stage.counts()).toEqual([4, 10]);
    scene.registry.behaviour.outage = undefined;
    scene.clock.pass(60);
    for (let count = 0; count < 10; count += 1) expect(await scene.see(tag)).toMatchObject({ fallback: undefined });
    expect(stage.counts()).toEqual([10, 0]);
  });

  it('get their own credentials and never those of another', async () => {
    const auth = { auth: 'bearer', anonymous: false } as const;
    await using stage = await Fallbacks.set(
      [{ ...auth, password: 'planted-first' }, { auth: 'basic', password: 'planted-second' }, { ...auth }],
      { registry: auth, upstream: { username: 'user', password: 'planted-main' } },
    );
    const { scene, others } = stage;
    const passwords = ['planted-main', 'planted-first', 'planted-second', 'planted-none'];
    const registries = [scene.registry, ...others];
    for (const [index, { behaviour }] of registries.entries()) behaviour.password = passwords[index]!;
    const refuse = (registry: FakeRegistry) =>
      (registry.behaviour.outage = { status: 503, kinds: ['manifest', 'blob'] });
    expect(await scene.see(tag)).toMatchObject({ status: 200, fallback: undefined });
    scene.clock.pass(600);
    refuse(scene.registry);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', fallback: others[0]!.host });
    scene.clock.pass(600);
    refuse(others[0]!);
    expect(await scene.see(tag)).toMatchObject({ cache: 'REVALIDATED', fallback: others[1]!.host });
    scene.clock.pass(600);
    refuse(others[1]!);
    expect(await scene.see(tag)).toMatchObject({ cache: 'STALE' });
    for (const [index, registry] of registries.entries()) {
      const sent = registry.requests.flatMap(({ headers }) => headers.authorization ?? []);
      const basic = sent
        .filter((value) => value.startsWith('Basic '))
        .map((value) => Buffer.from(value.slice(6), 'base64'));
      const expected = index < 3 ? [`user:${passwords[index]}`] : [];
      expect([...new Set(basic.map(String))]).toEqual(expected);
    }
  });

  it('go on with a blob where the registry, or one of them, left it', async () => {
    const blob = makeBlob(900_000, 'across hosts');
    await using first = await ScriptedUpstream.start();
    await using second = await ScriptedUpstream.start();
    const path = `/v2/app/blobs/${blob.digest}`;
    const dead = scripted.plain(503);
    first.on('GET', path, scripted.cutAfter(blob.body, 300_000), dead);
    second.on('GET', path, scripted.cutAfter(blob.body, 300_000), scripted.content(blob.body));
    await using scene = await Scene.set({ upstream: { fallbackHosts: [endpoint(first.host), endpoint(second.host)] } });
    await scene.registry.stop();
    const outcome = await pull(`${scene.mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    expect(outcome.verdict).toBe('right');
    expect(first.requests[0]?.headers.range).toBeUndefined();
    const places = second.requests.map(({ headers }) => Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1]));
    // What had only been sent when a connection was cut may be lost, and is sent again.
    expect(places).toHaveLength(2);
    expect(places[0]).toBeGreaterThan(200_000);
    expect(places[1]).toBeGreaterThan(places[0]! + 200_000);
    expect(first.bodyBytes() + second.bodyBytes()).toBeLessThanOrEqual(blob.body.length + 2 * 100_000);
  });
});
