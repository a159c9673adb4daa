import { runImagePulls } from '../../load/image-pulls.js';
import { meter } from '../../processes/meter.js';
import { memoryMetrics } from '../stored/warm-load.js';
import type { Scenario } from '../scenario.js';

const clients = 64;

export const mixedPulls: Scenario = {
  name: 'mixed-pulls',
  title: `${clients} clients at once, each pulling a stored image: tag, manifest, configuration, 8 layers of 20 kB to 20 MB`,
  byDefault: true,
  peers: ['mirror', 'docker-registry'],
  metrics: [
    { key: 'pullsPerSecond', label: 'pulls per second', better: 'more' },
    { key: 'p50', label: 'one pull p50, ms', better: 'less' },
    { key: 'p99', label: 'one pull p99, ms', better: 'less' },
    { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
    ...memoryMetrics,
  ],
  async open({ library, source }) {
    const image = await library.realImage();
    const bytes = image.manifest.bytes.length + image.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);
    const jobOf = (root: string) => ({
      root,
      tag: library.realTag,
      manifest: image.manifest.digest,
      blobs: image.blobs.map(({ digest, bytes: content }) => ({ digest, size: content.length })),
    });
    return {
      upstream: source,
      warm: async (peer) => ({
        values: {},
        failures: (await runImagePulls({ ...jobOf(peer.repositoryUrl(library.repository)), clients: 1 })).failures,
      }),
      measure: async (peer) => {
        const job = { ...jobOf(peer.repositoryUrl(library.repository)), clients };
        const run = await meter(peer.server.pid, () => runImagePulls(job));
        return {
          values: {
            pullsPerSecond: clients / run.outcome.seconds,
            p50: run.outcome.p50Millis,
            p99: run.outcome.p99Millis,
            cpuPerGB: run.cpuSeconds / ((clients * bytes) / 1e9),
            peakMiB: run.peakMiB,
            settledMiB: run.settledMiB,
          },
          failures: run.outcome.failures,
        };
      },
    };
  },
};
