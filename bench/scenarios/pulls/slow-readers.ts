import { setTimeout as sleep } from 'node:timers/promises';
import { SlowReaders } from '../../load/slow-readers.js';
import { runWrk } from '../../load/wrk.js';
import { meter } from '../../processes/meter.js';
import { readUsage } from '../../processes/usage.js';
import { memoryMetrics, warmUp } from '../stored/warm-load.js';
import type { Scenario } from '../scenario.js';

const size = 51_000_000;
const fast = 8;
const slow = 500;
/** What a slow reader takes. */
const bytesPerSecond = 64_000;

export const slowReaders: Scenario = {
  name: 'slow-readers',
  title: `${fast} fast clients of one stored blob of 51 MB, without and with ${slow} that read ${bytesPerSecond / 1000} kB/s`,
  byDefault: false,
  peers: ['mirror', 'docker-registry'],
  metrics: [
    {
      key: 'kept',
      label: 'throughput with ÷ without',
      better: 'more',
      bound: { limit: 0.95, over: 'median' },
    },
    { key: 'keptAtFirst', label: 'the same while they begin, their buffers empty', better: 'more' },
    { key: 'throughput', label: 'throughput beside them, GB/s', better: 'more' },
    { key: 'perReader', label: 'KiB of memory per slow reader', better: 'less' },
    ...memoryMetrics,
  ],
  async open({ library, source, seconds }) {
    const { digest } = await library.blob(size, 'warm blob');
    return {
      upstream: source,
      warm: (peer) => warmUp({ size, digest, url: peer.blobUrl(library.repository, digest) }),
      measure: async (peer, scope) => {
        const job = { url: peer.blobUrl(library.repository, digest), size, connections: fast, seconds };
        const without = await meter(peer.server.pid, () => runWrk(scope, job));
        const readers = await SlowReaders.start(scope, { url: job.url, count: slow, bytesPerSecond });
        // Until the kernel's buffers of their connections are full, they are as fast as any client.
        const beginning = await meter(peer.server.pid, () => runWrk(scope, job));
        await waitUntilIdle(peer.server.pid);
        const beside = await meter(peer.server.pid, () => runWrk(scope, job));
        const complaints = await readers.stop();
        const throughput = ({ outcome }: typeof without) => outcome.bytes / 1e9 / outcome.seconds;
        return {
          values: {
            kept: throughput(beside) / throughput(without),
            keptAtFirst: throughput(beginning) / throughput(without),
            throughput: throughput(beside),
            perReader: ((beside.settledMiB - without.settledMiB) * 1024) / slow,
            peakMiB: Math.max(beginning.peakMiB, beside.peakMiB),
            settledMiB: beside.settledMiB,
          },
          failures: [...[without, beginning, beside].flatMap(({ outcome }) => outcome.failures), ...complaints],
        };
      },
    };
  },
};

/** Waits, for a minute at most, until a process has used less than a tenth of a core for a second. */
async function waitUntilIdle(pid: number): Promise<void> {
  for (let left = 60; left > 0; left -= 1) {
    const before = readUsage(pid).cpuSeconds;
    await sleep(1_000);
    if (readUsage(pid).cpuSeconds - before < 0.1) return;
  }
}
