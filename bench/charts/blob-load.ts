import { measureWrk, warmUp } from '../scenarios/stored/warm-load.js';
import type { Setting, Stage } from '../scenarios/scenario.js';

export interface BlobLoad {
  /** Bytes. */
  readonly size: number;
  readonly connections: number;
}

/** Seconds that one answer may take: eight of 2 GB at once take their time. */
const timeout = 300;
/** Bytes per second at which a run is still long enough for every connection to have a whole answer. */
const slowest = 4e8;

/** wrk on one stored blob; throughput in MB/s. */
export async function blobLoad(setting: Setting, { size, connections }: BlobLoad): Promise<Stage> {
  const { library, source } = setting;
  const seconds = Math.max(setting.seconds, Math.ceil((connections * size) / slowest));
  const { digest } = await library.longBlob(size, `chart ${size}`);
  return {
    upstream: source,
    warm: (peer) => warmUp({ size, digest, url: peer.blobUrl(library.repository, digest) }),
    measure: (peer, scope) => {
      const job = { size, digest, timeout, url: peer.blobUrl(library.repository, digest) };
      return measureWrk(scope, peer, { connections, seconds, job }, ({ outcome }) => ({
        throughput: outcome.bytes / 1e6 / outcome.seconds,
      }));
    },
  };
}
