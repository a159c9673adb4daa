import { blobOf } from '../../content/bytes.js';
import { pull } from '../../load/pull.js';
import { Origin } from '../../upstream/origin.js';
import { complaints } from '../stored/warm-load.js';
import type { Scenario } from '../scenario.js';

const size = 51_000_000;
const delivery = { delay: 200, bytesPerSecond: 20_000_000 };

export const firstByte: Scenario = {
  name: 'first-byte',
  title: 'a blob of 51 MB that is not stored yet, from an upstream that waits 200 ms and then sends 20 MB/s',
  byDefault: true,
  peers: ['mirror', 'docker-registry-proxy'],
  metrics: [
    {
      key: 'afterUpstream',
      label: "first body byte after the upstream's, ms",
      better: 'less',
      bound: { limit: 100, over: 'median' },
    },
    { key: 'seconds', label: 'whole pull, s', better: 'less' },
  ],
  async open({ scope }) {
    const origin = await Origin.start(scope);
    let run = 0;
    return {
      upstream: origin.url,
      measure: async (peer) => {
        const blob = blobOf(size, `first byte ${run++}`);
        origin.publish(blob, delivery);
        const start = performance.now();
        const pulled = await pull({ url: peer.blobUrl('bench/first-byte', blob.digest), size, digest: blob.digest });
        const seconds = (performance.now() - start) / 1000;
        const sentAt = origin.firstByteAt(blob.digest) ?? Number.NaN;
        return {
          values: { afterUpstream: (pulled.firstByteAt ?? Number.NaN) - sentAt, seconds },
          failures: complaints('the pull', pulled),
        };
      },
    };
  },
};
