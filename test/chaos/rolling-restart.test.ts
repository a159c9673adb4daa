import { beforeAll, describe, expect, it } from 'vitest';
import { build } from '../e2e/support/program.js';
import { Balancer } from './support/balancer.js';
import { sharedFolder } from './support/cluster-storage.js';
import { Cluster } from './support/cluster.js';
import { until } from './support/gate.js';
import { Load } from './support/load.js';

beforeAll(build, 180_000);

/** Bytes per second of an answer of the registry: a cold layer takes most of a second. */
const bytesPerSecond = 1_500_000;

/** How often each replica is restarted. */
const rounds = 2;

async function restartInTurn(replicas: number): Promise<{ load: Load; balancer: Balancer; shared: number }> {
  const flags = ['--drain-delay', '1s'];
  await using cluster = await Cluster.start(sharedFolder, { replicas, flags });
  Object.assign(cluster.registry.behaviour, { bytesPerSecond });
  await using balancer = await Balancer.start(cluster.programs.map(({ url }) => url));
  const load = new Load(balancer.url, cluster.registry);
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, backend] of balancer.backends.entries()) {
        const given = backend.given;
        await until(() => backend.isReady && backend.given > given + 10, 'the replica is at work');
        const ended = await cluster.restart(index);
        expect(ended.stdout).toContain('SIGTERM received');
        expect(ended.stdout).not.toContain('running transfers are cut');
        await until(() => backend.isReady, 'the balancer has the replica back');
      }
    }
  } finally {
    await load.stop();
  }
  return { load, balancer, shared: cluster.registry.select({ kind: 'blob', method: 'GET' }).length };
}

describe('a restart under load breaks no pull', () => {
  it.each([3, 1])('of each of %d replicas in turn, twice around', { timeout: 180_000 }, async (replicas) => {
    const { load, balancer, shared } = await restartInTurn(replicas);
    process.stdout.write(`${replicas}: ${load.pulls} pulls of ${load.offered} images, ${shared} GETs of blobs\n`);
    expect(load.broken).toEqual([]);
    // A probe that comes late on a busy machine is a leaving more.
    expect(Math.min(...balancer.backends.map(({ leavings }) => leavings))).toBeGreaterThanOrEqual(rounds);
    expect(load.offered).toBeGreaterThanOrEqual(3);
    expect(load.pulls).toBeGreaterThan(20);
  });
});
