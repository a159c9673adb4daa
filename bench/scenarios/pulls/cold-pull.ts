import { blobOf } from '../../content/bytes.js';
import { crowdFailures, runCrowd } from '../../load/crowd.js';
import { Origin, type Delivery } from '../../upstream/origin.js';
import { meter } from '../../processes/meter.js';
import type { Scenario } from '../scenario.js';

const size = 200_000_000;

/** A blob that is not stored yet, pulled straight from the upstream and through the peer, one after the other. */
function coldPull(name: string, upstream: string, delivery: Delivery | undefined, limit?: number): Scenario {
  return {
    name,
    title: `a blob of 200 MB that is not stored yet, from an upstream ${upstream}`,
    byDefault: false,
    peers: ['mirror', 'docker-registry-proxy'],
    metrics: [
      {
        key: 'timesDirect',
        label: 'time ÷ time straight from the upstream',
        better: 'less',
        ...(limit !== undefined && { bound: { limit, over: 'median' as const } }),
      },
      { key: 'seconds', label: 'whole pull, s', better: 'less' },
      { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
      { key: 'settledCpuPerGB', label: 'CPU seconds per GB, storing included', better: 'less' },
      { key: 'downloads', label: 'downloads from the upstream', better: 'less' },
      { key: 'peakMiB', label: 'peak resident size, MiB', better: 'less' },
      { key: 'settledMiB', label: 'resident size 3 s later, MiB', better: 'less' },
    ],
    async open({ scope }) {
      const origin = await Origin.start(scope);
      let run = 0;
      return {
        upstream: origin.url,
        measure: async (peer, inner) => {
          const content = { size, seed: `${name} ${run++}` };
          const blob = blobOf(size, content.seed);
          origin.publish(blob, delivery);
          const pull = (url: string) => runCrowd(inner, { clients: 1, url, content });
          const direct = await pull(`${origin.url}/v2/bench/cold/blobs/${blob.digest}`);
          const before = origin.downloads(blob.digest);
          const through = await meter(peer.server.pid, () => pull(peer.blobUrl('bench/cold', blob.digest)));
          origin.retract(blob.digest);
          const { seconds } = through.outcome;
          return {
            values: {
              timesDirect: seconds / direct.seconds,
              seconds,
              cpuPerGB: through.cpuSeconds / (size / 1e9),
              settledCpuPerGB: through.settledCpuSeconds / (size / 1e9),
              downloads: origin.downloads(blob.digest) - before,
              peakMiB: through.peakMiB,
              settledMiB: through.settledMiB,
            },
            failures: [...crowdFailures(direct), ...crowdFailures(through.outcome)],
          };
        },
      };
    },
  };
}

export const coldPaced = coldPull(
  'cold-100MB-per-second',
  'of 100 MB/s',
  { delay: 0, bytesPerSecond: 100_000_000 },
  1.03,
);
export const coldFaster = coldPull(
  'cold-500MB-per-second',
  'of 500 MB/s',
  { delay: 0, bytesPerSecond: 500_000_000 },
  1.15,
);
export const coldLoopback = coldPull('cold-loopback', 'on loopback', undefined);
