import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layOut, type StoredObjects } from '../content/stored-objects.js';
import { pull } from '../load/pull.js';
import { runWrk } from '../load/wrk.js';
import { mirrorNamespace } from '../peers/mirror.peer.js';
import type { Peer } from '../peers/peer.js';
import { meter } from '../processes/meter.js';
import type { Setting, Stage } from '../scenarios/scenario.js';
import { complaints } from '../scenarios/stored/warm-load.js';
import { pointScenario, type Chart } from './chart.js';

const name = 'stored-objects';
const connections = 8;
/** One block of most file systems: a hundred thousand of them fit in the page cache, so that no disk is measured. */
const size = 4_096;
/** Objects whose bodies are hashed before and after the load. */
const checked = 20;
const throughput = { label: 'throughput', unit: 'requests/s', scale: 'linear' } as const;

async function open({ scope, folder, source, seconds }: Setting, count: number): Promise<Stage> {
  const top = await mkdtemp(join(folder, `${name}-`));
  await scope.defer(() => rm(top, { recursive: true, force: true }));
  const objects = await layOut(top, mirrorNamespace, count, size);
  return {
    upstream: source,
    laidOut: objects,
    measure: async (peer, inner) => {
      const before = await check(peer, objects);
      // wrk puts a name behind the URL, which has to end where a digest begins.
      const url = peer.blobUrl(objects.repository, '');
      const job = { url, names: objects.names, size, connections, seconds };
      const { outcome, peakMiB } = await meter(peer.server.pid, () => runWrk(inner, job));
      const after = await check(peer, objects);
      return {
        values: { throughput: outcome.requests / outcome.seconds, peakMiB },
        failures: [...before, ...outcome.failures, ...after],
      };
    },
  };
}

/** Pulls some of the objects, evenly chosen. */
async function check(peer: Peer, { repository, digests }: StoredObjects): Promise<string[]> {
  const failures: string[] = [];
  const step = Math.ceil(digests.length / checked);
  for (let index = 0; index < digests.length; index += step) {
    const digest = digests[index]!;
    failures.push(...complaints(digest, await pull({ url: peer.blobUrl(repository, digest), size, digest })));
  }
  return failures;
}

export const storedObjectsChart: Chart = {
  name,
  title: 'Stored objects',
  axis: 'stored objects',
  work: `blobs of 4 KiB, a random one of all that are stored for each request, ${connections} connections`,
  why: 'so small that all of them stay in the page cache: no disk is measured',
  throughput,
  points: [100, 1_000, 10_000, 100_000].map((objects) => {
    const label = objects.toLocaleString('en');
    return {
      x: objects,
      label,
      scenario: pointScenario(name, label, throughput, (setting) =>
        open(setting, Math.max(100, Math.ceil(objects / setting.shrink))),
      ),
    };
  }),
};
