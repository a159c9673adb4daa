import { manifestMediaType } from '../../content/image.js';
import { measureWrk, memoryMetrics, requestMetrics, requestValues, warmUp } from './warm-load.js';
import type { Scenario } from '../scenario.js';

const connections = 32;

function manifestScenario(by: 'digest' | 'tag'): Scenario {
  return {
    name: `manifest-by-${by}`,
    title: `one stored manifest by ${by}, ${connections} connections`,
    byDefault: true,
    peers: ['mirror', 'mirror-logging', 'mirror-workers', 'docker-registry', 'bare-node'],
    metrics: [...requestMetrics, ...memoryMetrics],
    async open({ library, source, seconds }) {
      const { digest, bytes } = (await library.image()).manifest;
      const reference = by === 'digest' ? digest : library.tag;
      const job = { size: bytes.length, digest, accept: manifestMediaType };
      return {
        upstream: source,
        warm: (peer) => warmUp({ ...job, url: peer.manifestUrl(library.repository, reference) }),
        measure: (peer, scope) => {
          const url = peer.manifestUrl(library.repository, reference);
          return measureWrk(scope, peer, { connections, seconds, job: { ...job, url } }, requestValues);
        },
      };
    },
  };
}

export const manifestByDigest = manifestScenario('digest');
export const manifestByTag = manifestScenario('tag');
