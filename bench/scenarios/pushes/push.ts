import { runPushes, type Pushes, type PushesReport } from '../../load/pushes/pushes.js';
import type { PeerName } from '../../peers/peer.js';
import { meter, type Metered } from '../../processes/meter.js';
import { S3Server } from '../../s3/s3.server.js';
import type { Metric, Scenario } from '../scenario.js';
import { memoryMetrics } from '../stored/warm-load.js';

type PushedContent = Omit<Pushes, 'root' | 'seed'>;

interface PushScenario {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly pushes: PushedContent;
  /** What is pushed before, so that code is compiled and folders exist. */
  readonly first?: PushedContent;
  readonly inBuckets?: boolean;
}

const throughputMetrics: readonly Metric[] = [
  { key: 'throughput', label: 'throughput, MB/s', better: 'more' },
  { key: 'p50', label: 'one image p50, ms', better: 'less' },
  { key: 'p99', label: 'one image p99, ms', better: 'less' },
  { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
];

const imageMetrics: readonly Metric[] = [
  { key: 'imagesPerSecond', label: 'images per second', better: 'more' },
  { key: 'p50', label: 'one image p50, ms', better: 'less' },
  { key: 'p99', label: 'one image p99, ms', better: 'less' },
  { key: 'cpuPerImage', label: 'CPU ms per image', better: 'less' },
];

/** Shows whether the clients leave the servers the machine. */
const clientMetric: Metric = { key: 'clientShare', label: 'cores that the clients took', better: 'less' };

const large = { layers: 1, layerSize: 50_000_000, parallel: 1 };
const small = { layers: 20, layerSize: 10_000, parallel: 4 };

export const pushBlobs = pushScenario({
  name: 'push-blobs',
  title: '8 clients at once that push layers of 50 MB',
  metrics: throughputMetrics,
  first: { ...large, clients: 8, images: 1 },
  pushes: { ...large, clients: 8, images: 4 },
});

export const pushImages = pushScenario({
  name: 'push-images',
  title: '32 clients at once that push images of 20 layers of 10 kB, 4 layers at a time',
  metrics: imageMetrics,
  first: { ...small, clients: 32, images: 1 },
  pushes: { ...small, clients: 32, images: 6 },
});

export const pushMemory = pushScenario({
  name: 'push-memory',
  title: '64 clients at once that push a layer of 200 MB',
  metrics: throughputMetrics,
  pushes: { layers: 1, layerSize: 200_000_000, parallel: 1, clients: 64, images: 1 },
});

export const s3PushBlobs = pushScenario({
  name: 's3-push-blobs',
  title: '8 clients at once that push layers of 50 MB, into an S3 bucket',
  metrics: throughputMetrics,
  first: { ...large, clients: 8, images: 1 },
  pushes: { ...large, clients: 8, images: 2 },
  inBuckets: true,
});

export const s3PushImages = pushScenario({
  name: 's3-push-images',
  title: '32 clients at once that push images of 20 layers of 10 kB, 4 layers at a time, into an S3 bucket',
  metrics: imageMetrics,
  first: { ...small, clients: 32, images: 1 },
  pushes: { ...small, clients: 32, images: 3 },
  inBuckets: true,
});

function pushScenario({ name, title, metrics, pushes, first, inBuckets = false }: PushScenario): Scenario {
  const peers: readonly PeerName[] = ['mirror', inBuckets ? 'docker-registry-s3' : 'docker-registry'];
  return {
    name,
    title,
    byDefault: false,
    peers,
    startsAnew: true,
    metrics: [...metrics, ...memoryMetrics, clientMetric],
    async open({ scope, folder, source, shrink }) {
      const size = (content: PushedContent): PushedContent => ({
        ...content,
        layerSize: Math.max(1_000, Math.ceil(content.layerSize / shrink)),
      });
      return {
        upstream: source,
        takesPushes: true,
        ...(inBuckets && { s3: await S3Server.start(scope, folder) }),
        measure: async (peer, inner) => {
          const root = peer.pushUrl('');
          const seed = String(performance.now());
          const warmed = first && (await runPushes(inner, { ...size(first), root, seed: `${seed} first` }));
          const run = await meter(peer.server.pid, () => runPushes(inner, { ...size(pushes), root, seed }));
          return { values: valuesOf(run), failures: [...(warmed?.failures ?? []), ...run.outcome.failures] };
        },
      };
    },
  };
}

function valuesOf({ outcome, cpuSeconds, peakMiB, settledMiB }: Metered<PushesReport>): Record<string, number> {
  const { seconds, images, bytes, p50Millis, p99Millis, clientCpuSeconds } = outcome;
  return {
    throughput: bytes / 1e6 / seconds,
    imagesPerSecond: images / seconds,
    p50: p50Millis,
    p99: p99Millis,
    cpuPerGB: cpuSeconds / (bytes / 1e9),
    cpuPerImage: (cpuSeconds * 1000) / images,
    clientShare: clientCpuSeconds / seconds,
    peakMiB,
    settledMiB,
  };
}
