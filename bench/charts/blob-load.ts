import { measureWrk, warmUp } from '../scenarios/warm-load.js';
import type { Setting, Stage } from '../scenarios/scenario.js';

export interface BlobLoad {
  /** Bytes. */
  readonly size: number;
  readonly connections: number;
  readonly seconds: number;
}

/** Seconds that one answer may take: eight of 2 GB at once take their time. */
const timeout = 300;

/** wrk on one stored blob; throughput in MB/s. */
export async function blobLoad({ library, source }: Setting, load: BlobLoad): Promise<Stage> {
  const { size, connections, seconds } = load;
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
