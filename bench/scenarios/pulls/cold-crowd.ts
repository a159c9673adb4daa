import { digestOf, sharedBytes, shiftedBytes } from '../../content/bytes.js';
import { crowdFailures } from '../../load/crowd.js';
import { runDistinctPulls } from '../../load/distinct-pulls.js';
import { meter } from '../../processes/meter.js';
import { Origin } from '../../upstream/origin.js';
import type { Scenario } from '../scenario.js';

const count = 16;
const wholeSize = 100_000_000;

/** As when a node of a cluster starts: many layers at once, none of them stored. */
export const coldCrowd: Scenario = {
  name: 'cold-16',
  title: `${count} blobs of 100 MB that are not stored yet, pulled at once, from an upstream on loopback`,
  byDefault: false,
  peers: ['mirror', 'mirror-workers', 'docker-registry-proxy'],
  metrics: [
    { key: 'throughput', label: 'throughput, MB/s', better: 'more' },
    { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
    { key: 'settledCpuPerGB', label: 'CPU seconds per GB, storing included', better: 'less' },
    { key: 'peakMiB', label: 'peak resident size, MiB', better: 'less' },
    { key: 'settledMiB', label: 'resident size 3 s later, MiB', better: 'less' },
  ],
  async open({ scope, shrink }) {
    const origin = await Origin.start(scope);
    let run = 0;
    return {
      upstream: origin.url,
      measure: async (peer, inner) => {
        const blobs = { count, size: Math.ceil(wholeSize / shrink), seed: `cold crowd ${run++}` };
        const shared = sharedBytes(blobs);
        const digests = Array.from({ length: count }, (_, index) => {
          const bytes = shiftedBytes(blobs, shared, index);
          const digest = digestOf(bytes);
          origin.publish({ digest, bytes });
          return digest;
        });
        const urls = digests.map((digest) => peer.blobUrl('bench/cold', digest));
        const { outcome, cpuSeconds, settledCpuSeconds, peakMiB, settledMiB } = await meter(peer.server.pid, () =>
          runDistinctPulls(inner, { urls, blobs }),
        );
        for (const digest of digests) origin.retract(digest);
        const megabytes = (count * blobs.size) / 1e6;
        return {
          values: {
            throughput: megabytes / outcome.seconds,
            cpuPerGB: cpuSeconds / (megabytes / 1000),
            settledCpuPerGB: settledCpuSeconds / (megabytes / 1000),
            peakMiB,
            settledMiB,
          },
          failures: crowdFailures(outcome),
        };
      },
    };
  },
};
