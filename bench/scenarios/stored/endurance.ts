import { setTimeout as sleep } from 'node:timers/promises';
import { blobOf } from '../../content/bytes.js';
import { manifestMediaType } from '../../content/image.js';
import { pushBlob } from '../../content/push.js';
import { pull } from '../../load/pull.js';
import { runWrk } from '../../load/wrk.js';
import type { Peer } from '../../peers/peer.js';
import { MemoryWatch } from '../../processes/memory-watch.js';
import type { Setting, Scenario } from '../scenario.js';
import { complaints } from './warm-load.js';

const wholeSeconds = 300;
const warmSize = 51_000_000;
const warmConnections = 4;
const tagConnections = 4;
const coldSize = 20_000_000;
/** Milliseconds from one cold pull to the next. */
const coldPause = 2_000;
/** Seconds of readings that a resident size is the median of. */
const window = 10;

/** Whether memory goes on growing when nothing but time does. */
export const endurance: Scenario = {
  name: 'endurance',
  title: 'five minutes of warm blobs of 51 MB, manifests by tag, and a blob of 20 MB that is not stored yet every 2 s',
  byDefault: false,
  peers: ['mirror', 'docker-registry'],
  metrics: [
    { key: 'earlyMiB', label: 'resident size after 1 minute, MiB', better: 'less' },
    { key: 'lateMiB', label: 'resident size after 5 minutes, MiB', better: 'less' },
    {
      key: 'growthMiB',
      label: 'difference, MiB',
      better: 'less',
      isDifference: true,
      bound: { limit: 10, over: 'worst' },
    },
    { key: 'throughput', label: 'warm blobs, GB/s', better: 'more' },
    { key: 'tagsPerSecond', label: 'manifests by tag per second', better: 'more' },
    { key: 'coldPulls', label: 'cold pulls', better: 'more' },
  ],
  async open(setting) {
    const { library, source, shrink } = setting;
    const blob = await library.blob(warmSize, 'warm blob');
    const { manifest } = await library.image();
    const { repository, tag } = library;
    const seconds = Math.ceil(wholeSeconds / shrink);
    let run = 0;
    return {
      upstream: source,
      measure: async (peer, scope) => {
        const warm = { url: peer.blobUrl(repository, blob.digest), size: warmSize, digest: blob.digest };
        const tagged = {
          ...{ url: peer.manifestUrl(repository, tag), size: manifest.bytes.length, digest: manifest.digest },
          accept: manifestMediaType,
        };
        const check = async (when: string) => [
          ...complaints(`${when}, the blob`, await pull(warm)),
          ...complaints(`${when}, the manifest`, await pull(tagged)),
        ];
        const before = await check('before');
        const watch = new MemoryWatch();
        run += 1;
        const [blobs, tags, cold] = await watch.during(peer.server.pid, () =>
          Promise.all([
            runWrk(scope, { ...warm, connections: warmConnections, seconds }),
            runWrk(scope, { ...tagged, connections: tagConnections, seconds }),
            pullCold(setting, peer, seconds, `endurance ${run}`),
          ]),
        );
        const after = await check('after');
        const [earlyMiB, lateMiB] = [watch.before(seconds / 5, window), watch.before(seconds, window)];
        return {
          values: {
            earlyMiB,
            lateMiB,
            growthMiB: lateMiB - earlyMiB,
            throughput: blobs.bytes / 1e9 / blobs.seconds,
            tagsPerSecond: tags.requests / tags.seconds,
            coldPulls: cold.count,
          },
          failures: [...before, ...blobs.failures, ...tags.failures, ...cold.failures, ...after],
        };
      },
    };
  },
};

/** One after the other, each of a blob that the source has just been given. */
async function pullCold({ library, source }: Setting, peer: Peer, seconds: number, seed: string) {
  const end = performance.now() + seconds * 1000;
  const failures: string[] = [];
  let count = 0;
  while (performance.now() < end) {
    const next = sleep(coldPause);
    const { digest, bytes } = blobOf(coldSize, `${seed}, ${count}`);
    await pushBlob(source, library.repository, { digest, bytes });
    const url = peer.blobUrl(library.repository, digest);
    failures.push(...complaints('a cold pull', await pull({ url, size: coldSize, digest })));
    count += 1;
    await next;
  }
  return { count, failures: [...new Set(failures)] };
}
