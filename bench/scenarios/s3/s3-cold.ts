import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { digestOf, sharedBytes, shiftedBytes, type ShiftedBlobs } from '../../content/bytes.js';
import { crowdFailures } from '../../load/crowd.js';
import { runDistinctPulls } from '../../load/distinct-pulls.js';
import { runS3Uploads } from '../../load/s3-uploads.js';
import type { Peer } from '../../peers/peer.js';
import { meter } from '../../processes/meter.js';
import { sharedNow } from '../../processes/task.js';
import { S3Server } from '../../s3/s3.server.js';
import type { Scope } from '../../scope.js';
import { Origin } from '../../upstream/origin.js';
import { contentKey, whenStored } from './s3-stored.js';
import type { Sample, Scenario } from '../scenario.js';

const count = 16;
const wholeSize = 200_000_000;
const repository = 'bench/s3-cold';
/** Who has a bucket beside the peer. */
const bare = 'bare-uploads';

/** Bytes a second into the bucket of `s3-cold-50MB-per-second`. */
const linkRate = 50_000_000;

const ways = ['mirror', 'multipart', 'put'] as const;
const title = `${count} clients at once, one blob of 200 MB each that is not stored yet, into an S3 bucket`;

/** On a machine that also runs the S3 server, the registry and the clients, which leave the mirror less than a core. */
export const s3Cold = coldInto({ name: 's3-cold', title });

/** With a bucket that takes less than the machine gives, as one behind a network does. */
export const s3ColdPaced = coldInto({
  name: 's3-cold-50MB-per-second',
  title: `${title} that takes ${linkRate / 1e6} MB/s`,
  bytesPerSecond: linkRate,
});

/**
 * What the mirror makes of a bucket, beside what its client library does alone: the same blobs from the same upstream
 * into the same S3 server, without clients that want them, without a digest that has to match and without a local file.
 */
function coldInto({ name, title, bytesPerSecond }: { name: string; title: string; bytesPerSecond?: number }): Scenario {
  return {
    name,
    title,
    byDefault: false,
    peers: ['mirror'],
    metrics: [
      { key: 'seconds', label: 'until all are in the bucket, s', better: 'less' },
      { key: 'bodySeconds', label: 'until the last client has its body, s', better: 'less' },
      { key: 'throughput', label: 'into the bucket, MB/s', better: 'more' },
      { key: 'multipart', label: 'client library alone, 8 MiB parts, 2 in flight: MB/s', better: 'more' },
      { key: 'put', label: 'client library alone, one Put each: MB/s', better: 'more' },
      {
        key: 'timesMultipart',
        label: 'throughput ÷ that of the parts',
        better: 'more',
        bound: { limit: 0.9, over: 'median' },
      },
      { key: 'timesPut', label: 'throughput ÷ that of the Puts', better: 'more' },
      { key: 'cpuPerGB', label: 'CPU seconds per GB', better: 'less' },
      { key: 'peakMiB', label: 'peak resident size, MiB', better: 'less', bound: { limit: 200, over: 'worst' } },
      { key: 'settledMiB', label: 'resident size 3 s later, MiB', better: 'less' },
    ],
    async open({ scope, folder, shrink }) {
      const origin = await Origin.start(scope);
      const s3 = await S3Server.start(scope, folder, bytesPerSecond);
      const size = Math.ceil(wholeSize / shrink);
      let run = 0;
      return {
        upstream: origin.url,
        s3,
        measure: async (peer, inner) => {
          const blobs = { count, size, seed: `s3 cold ${run}` };
          const digests = publish(origin, blobs);
          const order = ways.map((_, index) => ways[(index + run) % ways.length]!);
          run += 1;
          const samples: Sample[] = [];
          for (const way of order) {
            // What the one before left to be written would be written on this one's time.
            await promisify(execFile)('sync');
            samples.push(
              await (way === 'mirror'
                ? measureMirror(inner, peer, { s3, blobs, digests })
                : measureBare(inner, way, { s3, blobs, digests, from: origin.url })),
            );
          }
          for (const digest of digests) origin.retract(digest);
          return compare(samples);
        },
      };
    },
  };
}

interface Content {
  readonly s3: S3Server;
  readonly blobs: ShiftedBlobs;
  readonly digests: readonly string[];
}

function publish(origin: Origin, blobs: ShiftedBlobs): string[] {
  const shared = sharedBytes(blobs);
  return Array.from({ length: blobs.count }, (_, index) => {
    const bytes = shiftedBytes(blobs, shared, index);
    const digest = digestOf(bytes);
    origin.publish({ digest, bytes });
    return digest;
  });
}

async function measureMirror(scope: Scope, peer: Peer, { s3, blobs, digests }: Content): Promise<Sample> {
  const bucket = await s3.bucketOf(peer.label);
  const paths = digests.map(contentKey);
  const urls = digests.map((digest) => peer.blobUrl(repository, digest));
  const run = await meter(peer.server.pid, async () => {
    const pulls = await runDistinctPulls(scope, { urls, blobs });
    if (crowdFailures(pulls).length === 0) await whenStored(bucket, paths, blobs.size);
    return { pulls, seconds: (sharedNow() - pulls.startedAt) / 1000 };
  });
  await bucket.remove(paths);
  const megabytes = (blobs.count * blobs.size) / 1e6;
  return {
    values: {
      seconds: run.outcome.seconds,
      bodySeconds: run.outcome.pulls.seconds,
      throughput: megabytes / run.outcome.seconds,
      cpuPerGB: run.cpuSeconds / (megabytes / 1000),
      peakMiB: run.peakMiB,
      settledMiB: run.settledMiB,
    },
    failures: crowdFailures(run.outcome.pulls),
  };
}

async function measureBare(
  scope: Scope,
  way: 'put' | 'multipart',
  { s3, blobs, digests, from }: Content & { readonly from: string },
): Promise<Sample> {
  const bucket = await s3.bucketOf(bare);
  const objects = digests.map((digest) => ({
    from: `${from}/v2/${repository}/blobs/${digest}`,
    key: contentKey(digest),
  }));
  const report = await runS3Uploads(scope, { bucket, objects, size: blobs.size, way });
  const paths = objects.map(({ key }) => key);
  if (report.complaints.length === 0) await whenStored(bucket, paths, blobs.size);
  await bucket.remove(paths);
  return {
    values: { [way]: (blobs.count * blobs.size) / 1e6 / report.seconds },
    failures: report.complaints.map((complaint) => `client library alone, ${way}: ${complaint}`),
  };
}

function compare(samples: readonly Sample[]): Sample {
  const values = Object.fromEntries(samples.flatMap((sample) => Object.entries(sample.values)));
  const { throughput = NaN, multipart = NaN, put = NaN } = values;
  return {
    values: { ...values, timesMultipart: throughput / multipart, timesPut: throughput / put },
    failures: samples.flatMap(({ failures }) => failures),
  };
}
