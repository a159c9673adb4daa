import { manifestMediaType } from '../../content/image.js';
import { pushBlob, pushManifest } from '../../content/push.js';
import { runWrk } from '../../load/wrk.js';
import type { Scenario } from '../scenario.js';
import { complaints, warmUp } from '../stored/warm-load.js';
import { pull } from '../../load/pull.js';

const connections = 32;

/** The same manifest by a tag of a mirrored and of a hosted repository, which one process serves. */
export const hostedTag: Scenario = {
  name: 'hosted-tag',
  title: `one stored manifest by tag, mirrored and hosted by the same process, ${connections} connections`,
  byDefault: false,
  peers: ['mirror'],
  metrics: [
    { key: 'mirrored', label: 'mirrored, requests per second', better: 'more' },
    { key: 'hosted', label: 'hosted, requests per second', better: 'more' },
    { key: 'ratio', label: 'hosted ÷ mirrored', better: 'more' },
  ],
  async open({ library, source, seconds }) {
    const { manifest, mediaType, blobs } = await library.image();
    const { digest, bytes } = manifest;
    const { repository, tag } = library;
    const job = { size: bytes.length, digest, accept: manifestMediaType };
    return {
      upstream: source,
      takesPushes: true,
      warm: async (peer) => {
        const { origin } = peer.server;
        const hosted = new URL(peer.pushUrl(repository)).pathname.replace('/v2/', '');
        for (const blob of blobs) await pushBlob(origin, hosted, blob);
        await pushManifest(origin, hosted, tag, mediaType, manifest);
        return warmUp({ ...job, url: peer.manifestUrl(repository, tag) });
      },
      measure: async (peer, scope) => {
        const measured = async (url: string) => {
          const run = await runWrk(scope, { ...job, url, connections, seconds });
          const failures = [...run.failures, ...complaints('after the load', await pull({ ...job, url }))];
          return { rate: run.requests / run.seconds, failures };
        };
        const mirrored = await measured(peer.manifestUrl(repository, tag));
        const hosted = await measured(`${peer.pushUrl(repository)}/manifests/${tag}`);
        return {
          values: { mirrored: mirrored.rate, hosted: hosted.rate, ratio: hosted.rate / mirrored.rate },
          failures: [...mirrored.failures, ...hosted.failures],
        };
      },
    };
  },
};
