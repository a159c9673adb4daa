import { setTimeout as sleep } from 'node:timers/promises';
import { manifestMediaType } from '../content/image.js';
import { pull } from '../load/pull.js';
import { runWrk } from '../load/wrk.js';
import { restlessNamespace } from '../peers/mirror.peer.js';
import { UnreliableOrigin } from '../upstream/unreliable.js';
import type { Scenario } from './scenario.js';
import { complaints } from './stored/warm-load.js';

const connections = 8;

/** Tags of this namespace are never fresh: every answer is either confirmed by the upstream or given in its stead. */
export const outage: Scenario = {
  name: 'outage',
  title: `a stored tag that is asked about every time, ${connections} connections, while the upstream answers and falls silent`,
  byDefault: true,
  peers: ['mirror'],
  metrics: [
    { key: 'healthyP99', label: 'upstream answers: latency p99, ms', better: 'less' },
    { key: 'first', label: 'upstream silent: first answer, ms', better: 'less', bound: { limit: 2000, over: 'worst' } },
    { key: 'silentP99', label: 'known outage: latency p99, ms', better: 'less', bound: { limit: 50, over: 'worst' } },
    { key: 'asked', label: 'known outage: requests at the upstream', better: 'less' },
  ],
  async open({ scope, library, seconds }) {
    const manifest = (await library.image()).manifest;
    const origin = await UnreliableOrigin.start(scope, manifest, manifestMediaType);
    let run = 0;
    return {
      upstream: origin.url,
      measure: async (peer, inner) => {
        origin.isSilent = false;
        const url = `${peer.server.origin}/v2/${restlessNamespace}/bench/outage-${run++}/manifests/1`;
        const job = { url, size: manifest.bytes.length, digest: manifest.digest, accept: manifestMediaType };
        const before = await pull(job);
        const healthy = await runWrk(inner, { ...job, connections, seconds });
        // Questions of the last requests are answered first, or they would be what the first answer waits for.
        await sleep(500);
        origin.isSilent = true;
        const start = performance.now();
        const first = await pull(job);
        const firstMillis = performance.now() - start;
        const asked = origin.requests;
        const silent = await runWrk(inner, { ...job, connections, seconds });
        return {
          values: {
            healthyP99: healthy.p99Millis,
            first: firstMillis,
            silentP99: silent.p99Millis,
            asked: origin.requests - asked,
          },
          failures: [
            ...complaints('before', before),
            ...healthy.failures,
            ...complaints('the first answer', first),
            ...silent.failures,
          ],
        };
      },
    };
  },
};
