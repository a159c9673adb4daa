import { measureWrk, memoryMetrics, requestMetrics, requestValues, warmUp } from './warm-load.js';
import type { Scenario } from '../scenario.js';

const size = 20_000;
const connections = 32;

export const smallBlob: Scenario = {
  name: 'small-blob',
  title: `one stored blob of 20 kB, ${connections} connections`,
  byDefault: true,
  peers: ['mirror', 'mirror-workers', 'docker-registry', 'nginx', 'bare-node'],
  metrics: [...requestMetrics, ...memoryMetrics],
  async open({ library, source, seconds }) {
    const { digest } = await library.blob(size, 'small blob');
    const job = { size, digest };
    return {
      upstream: source,
      warm: (peer) => warmUp({ ...job, url: peer.blobUrl(library.repository, digest) }),
      measure: (peer, scope) => {
        const url = peer.blobUrl(library.repository, digest);
        return measureWrk(scope, peer, { connections, seconds, job: { ...job, url } }, requestValues);
      },
    };
  },
};
