import { blobMetrics, blobValues, measureWrk, memoryMetrics, warmUp } from './warm-load.js';
import type { Scenario } from '../scenario.js';

const size = 51_000_000;
const connections = 8;

export const warmBlob: Scenario = {
  name: 'warm-blob',
  title: `one stored blob of 51 MB, ${connections} connections`,
  byDefault: true,
  peers: ['mirror', 'mirror-workers', 'docker-registry', 'nginx'],
  metrics: [...blobMetrics, ...memoryMetrics],
  async open({ library, source, seconds }) {
    const { digest } = await library.blob(size, 'warm blob');
    const { repository } = library;
    const job = { size, digest };
    return {
      upstream: source,
      warm: (peer) => warmUp({ ...job, url: peer.blobUrl(repository, digest) }),
      measure: (peer, scope) => {
        const load = { connections, seconds, job: { ...job, url: peer.blobUrl(repository, digest) } };
        return measureWrk(scope, peer, load, blobValues);
      },
    };
  },
};
