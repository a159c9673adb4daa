import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { layOut } from '../content/stored-objects.js';
import { runWrk } from '../load/wrk.js';
import { mirrorNamespace } from '../peers/mirror.peer.js';
import type { Peer } from '../peers/peer.js';
import { meter } from '../processes/meter.js';
import type { Scenario } from './scenario.js';
import { warmUp } from './stored/warm-load.js';

const stored = 100_000;
const size = 51_000_000;
const connections = 8;
/** Milliseconds between two looks at the sweep. */
const tick = 50;

interface Swept {
  readonly running: boolean;
  readonly last?: { readonly duration: number; readonly objects: number };
}

export const sweep: Scenario = {
  name: 'sweep',
  title: `${connections} clients of one stored blob of 51 MB, without and with sweeps of ${stored.toLocaleString('en')} objects`,
  byDefault: false,
  peers: ['mirror'],
  metrics: [
    { key: 'kept', label: 'throughput with ÷ without', better: 'more', bound: { limit: 0.9, over: 'median' } },
    { key: 'throughput', label: 'throughput during sweeps, GB/s', better: 'more' },
    {
      key: 'growthMiB',
      label: 'peak resident size more than without, MiB',
      better: 'less',
      isDifference: true,
      bound: { limit: 20, over: 'worst' },
    },
    { key: 'sweepSeconds', label: 'one sweep under this load, s', better: 'less' },
  ],
  async open({ folder, library, source, seconds, shrink }) {
    const { digest } = await library.blob(size, 'warm blob');
    const objects = await layOut(join(folder, 'sweep'), mirrorNamespace, Math.ceil(stored / shrink), 4_096);
    return {
      upstream: source,
      laidOut: objects,
      warm: (peer) => warmUp({ size, digest, url: peer.blobUrl(library.repository, digest) }),
      measure: async (peer, scope) => {
        const job = { url: peer.blobUrl(library.repository, digest), size, connections, seconds };
        // The process grows to what the load takes; what it then takes more is the sweep's.
        await runWrk(scope, job);
        const without = await meter(peer.server.pid, () => runWrk(scope, job));
        const during = await meter(peer.server.pid, async () => {
          const ended = new AbortController();
          const swept = sweepUntil(peer, ended.signal);
          const outcome = await runWrk(scope, job);
          ended.abort();
          return { outcome, swept: await swept };
        });
        const { outcome, swept } = during.outcome;
        const throughput = outcome.bytes / 1e9 / outcome.seconds;
        const isWhole = swept !== undefined && swept.objects >= objects.digests.length;
        return {
          values: {
            kept: throughput / (without.outcome.bytes / 1e9 / without.outcome.seconds),
            throughput,
            growthMiB: during.peakMiB - without.peakMiB,
            sweepSeconds: (swept?.duration ?? Number.NaN) / 1000,
          },
          failures: [
            ...without.outcome.failures,
            ...outcome.failures,
            ...(isWhole ? [] : ['no sweep saw all objects']),
          ],
        };
      },
    };
  },
};

/** One sweep after the other until the load has ended; the last of them is waited for. */
async function sweepUntil(peer: Peer, ended: AbortSignal): Promise<Swept['last']> {
  const url = `${peer.server.adminOrigin}/_admin/sweep`;
  for (;;) {
    await (await fetch(url, { method: 'POST' })).body?.cancel();
    let status: Swept;
    do {
      await sleep(tick);
      status = (await (await fetch(url)).json()) as Swept;
    } while (status.running);
    if (ended.aborted) return status.last;
  }
}
