import { blobOf } from '../../content/bytes.js';
import { crowdFailures, runCrowd } from '../../load/crowd.js';
import { meter } from '../../processes/meter.js';
import { Origin } from '../../upstream/origin.js';
import type { Scenario } from '../scenario.js';

const size = 20_000_000;
const clients = 1_000;

export const crowd: Scenario = {
  name: 'crowd',
  title: '1,000 clients at once on one blob of 20 MB that is not stored yet',
  byDefault: true,
  peers: ['mirror', 'docker-registry-proxy'],
  metrics: [
    { key: 'upstreamGets', label: 'GETs at the upstream', better: 'less', bound: { limit: 1, over: 'worst' } },
    { key: 'right', label: 'right bodies', better: 'more', bound: { limit: clients, over: 'worst' } },
    { key: 'peakMiB', label: 'peak resident size, MiB', better: 'less', bound: { limit: 250, over: 'worst' } },
    { key: 'settledMiB', label: 'resident size 3 s later, MiB', better: 'less' },
    { key: 'seconds', label: 'until the last body, s', better: 'less' },
    { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
  ],
  async open({ scope }) {
    const origin = await Origin.start(scope);
    let run = 0;
    return {
      upstream: origin.url,
      measure: async (peer, inner) => {
        // A blob of its own for every run keeps it cold in a process that has already worked.
        const content = { size, seed: `crowd ${run++}` };
        const blob = blobOf(content.size, content.seed);
        origin.publish(blob);
        const url = peer.blobUrl('bench/crowd', blob.digest);
        const { outcome, cpuSeconds, peakMiB, settledMiB } = await meter(peer.server.pid, () =>
          runCrowd(inner, { clients, url, content }),
        );
        return {
          values: {
            upstreamGets: origin.downloads(blob.digest),
            right: outcome.right,
            peakMiB,
            settledMiB,
            seconds: outcome.seconds,
            cpuPerGB: cpuSeconds / ((clients * size) / 1e9),
          },
          failures: crowdFailures(outcome),
        };
      },
    };
  },
};
