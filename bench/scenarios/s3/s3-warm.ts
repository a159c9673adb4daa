import { pushBlob } from '../../content/push.js';
import { S3Server } from '../../s3/s3.server.js';
import type { Scenario } from '../scenario.js';
import { contentKey, whenStored } from './s3-stored.js';
import { blobMetrics, blobValues, measureWrk, memoryMetrics, warmUp } from '../stored/warm-load.js';

const size = 51_000_000;
const connections = 8;

/** As warm-blob, with the content in buckets of one S3 server. Each peer sends the bytes itself, without a redirect. */
export const s3Warm: Scenario = {
  name: 's3-warm',
  title: `one blob of 51 MB stored in an S3 bucket, ${connections} connections`,
  byDefault: false,
  peers: ['mirror', 'docker-registry-s3'],
  metrics: [...blobMetrics, ...memoryMetrics],
  async open({ scope, folder, library, source, seconds }) {
    const blob = await library.blob(size, 'warm blob');
    const { digest } = blob;
    const { repository } = library;
    const s3 = await S3Server.start(scope, folder);
    const jobOf = (url: string) => ({ size, digest, url });
    return {
      upstream: source,
      s3,
      warm: async (peer) => {
        if (peer.name === 'docker-registry-s3') await pushBlob(peer.server.origin, repository, blob);
        const sample = await warmUp(jobOf(peer.blobUrl(repository, digest)));
        // Until the bucket has it, the mirror's clients read from where it is still on its way there.
        if (peer.name === 'mirror') await whenStored(await s3.bucketOf(peer.label), [contentKey(digest)], size);
        return sample;
      },
      measure: (peer, inner) => {
        const load = { connections, seconds, job: jobOf(peer.blobUrl(repository, digest)) };
        return measureWrk(inner, peer, load, blobValues);
      },
    };
  },
};
