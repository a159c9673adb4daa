import { crowdFailures, runCrowd } from '../../load/crowd.js';
import { meter } from '../../processes/meter.js';
import { memoryMetrics, warmUp } from '../stored/warm-load.js';
import type { Scenario } from '../scenario.js';

const content = { size: 200_000_000, seed: 'many pulls' };
const clients = 64;

export const manyPulls: Scenario = {
  name: 'many-pulls',
  title: `${clients} clients at once, each pulling one stored blob of 200 MB`,
  byDefault: false,
  peers: ['mirror', 'mirror-workers', 'docker-registry'],
  metrics: [
    ...memoryMetrics,
    { key: 'throughput', label: 'throughput, GB/s', better: 'more' },
    { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
  ],
  async open({ library, source }) {
    const { digest } = await library.blob(content.size, content.seed);
    const { repository } = library;
    return {
      upstream: source,
      warm: (peer) => warmUp({ url: peer.blobUrl(repository, digest), size: content.size, digest }),
      measure: async (peer, scope) => {
        const url = peer.blobUrl(repository, digest);
        const run = await meter(peer.server.pid, () => runCrowd(scope, { clients, url, content }));
        const gigabytes = (clients * content.size) / 1e9;
        return {
          values: {
            peakMiB: run.peakMiB,
            settledMiB: run.settledMiB,
            throughput: gigabytes / run.outcome.seconds,
            cpuPerGB: run.cpuSeconds / gigabytes,
          },
          failures: crowdFailures(run.outcome),
        };
      },
    };
  },
};
