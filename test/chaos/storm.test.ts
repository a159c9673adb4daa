import http from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Outage } from '../fakes/registry/behaviour.js';
import { older, Scene, seen, type Seen } from './support/scene.js';

const clients = 100;
const tags = Array.from({ length: 20 }, (_, index) => `app/manifests/v${index}`);
const agent = new http.Agent({ keepAlive: true, maxSockets: clients });

/** Every client pulls every tag, and then another one every four seconds, for 60 s of the clock. */
async function storm(scene: Scene, method: 'GET' | 'HEAD'): Promise<Seen[]> {
  const responses: Seen[] = [];
  const pull = async (client: number, round: number) => {
    const path = tags[(client * 7 + round) % tags.length]!;
    responses.push(seen(await scene.get(path, { method, agent })));
  };
  const all = Array.from({ length: clients }, (_, client) => client);
  await Promise.all(
    all.map(async (client) => {
      for (let round = 0; round < tags.length; round += 1) await pull(client, round);
    }),
  );
  for (let second = 0; second < 60; second += 4) {
    await Promise.all(all.map((client) => pull(client, second)));
    scene.clock.pass(4);
  }
  return responses;
}

async function withTags(isCached: boolean): Promise<Scene> {
  const scene = await Scene.set({ server: { logLevel: 'warn' } });
  scene.registry.addImage('app', older, []);
  for (const path of tags) scene.registry.setTag('app', path.split('/').at(-1)!, older.manifest.digest);
  if (isCached) for (const path of tags) await scene.get(path);
  scene.registry.reset();
  scene.clock.pass(600);
  return scene;
}

const failures: [string, Outage, 'GET' | 'HEAD'][] = [
  ['503', { status: 503 }, 'GET'],
  ['503 to HEADs', { status: 503 }, 'HEAD'],
  ['500 with a Retry-After', { status: 500, retryAfter: 10 }, 'GET'],
  ['429', { status: 429 }, 'GET'],
  ['429 with a Retry-After', { status: 429, retryAfter: 30 }, 'GET'],
];

describe.each(failures)('a storm of 100 clients that pull 20 tags for a minute of %s', (_, outage, method) => {
  it.each([
    ['that are stored', true],
    ['that are not stored', false],
  ] as const)('%s costs the registry at most 22 requests', async (__, isCached) => {
    await using scene = await withTags(isCached);
    scene.registry.behaviour.outage = { ...outage };
    scene.registry.behaviour.delayHeaders = 20;
    const responses = await storm(scene, method);
    expect(scene.registry.count()).toBeLessThanOrEqual(1.1 * tags.length);
    const statuses = new Set(responses.map(({ status, cache }) => `${status} ${String(cache)}`));
    const refused = outage.status === 429 ? '429 undefined' : '503 undefined';
    expect([...statuses]).toEqual([isCached ? '200 STALE' : refused]);
    if (!isCached) expect(responses.every(({ retryAfter = 0 }) => retryAfter >= 1)).toBe(true);
    expect(scene.log.filter(({ context }) => context === 'Upstream')).toHaveLength(1);
  });
});

it('a storm on a healthy registry costs one request for each tag that is stored, and one for each that is not', async () => {
  for (const isCached of [true, false]) {
    await using scene = await withTags(isCached);
    scene.registry.behaviour.delayHeaders = 20;
    const responses = await storm(scene, 'GET');
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(scene.registry.count()).toBe(tags.length);
  }
});
