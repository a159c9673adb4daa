import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { DownloadsService } from '../../src/registry/mirrored/downloads/downloads.service.js';
import { Mirror } from '../e2e/support/mirror.js';
import { bytes, content, cut, head, reset, ScriptedUpstream, type Script } from '../fakes/scripted-upstream.js';
import { makeBlob } from '../fixtures/images.js';
import { pull } from './support/client.js';
import { until } from './support/gate.js';

const app = RepositoryRef.parse('registry.test/app');
const runs = 200;
const size = 300_000;

it(`a blob that is cut four times at random arrives whole, ${runs} of ${runs} times, with hardly a byte fetched twice`, async () => {
  await using upstream = await ScriptedUpstream.start();
  await using mirror = await Mirror.start({
    server: { logLevel: 'warn' },
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
  });
  const places = fc.sample(fc.array(fc.integer({ min: 1, max: size - 1 }), { minLength: 4, maxLength: 4 }), runs);
  let right = 0;
  for (const [run, unsorted] of places.entries()) {
    const blob = makeBlob(size, `run ${run}`);
    const digest = Digest.parse(blob.digest);
    const received = () => mirror.app.get(DownloadsService).find(app, digest)?.received ?? 0;
    // What has been sent but not taken when a connection ends is lost, so each cut waits for what came before it.
    const cutAt = (place: number, index: number): Script => ({
      respond: ({ headers }) => {
        const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
        const length = { 'content-length': size - from };
        const start =
          from === 0
            ? head(200, length)
            : head(206, { ...length, 'content-range': `bytes ${from}-${size - 1}/${size}` });
        const taken = () => until(() => received() >= place, `${place} bytes were taken`);
        return [start, bytes(blob.body.subarray(from, place)), taken, index % 2 ? reset() : cut()];
      },
    });
    const scripts = [...unsorted].sort((a, b) => a - b).map(cutAt);
    upstream.reset();
    upstream.on('GET', `/v2/app/blobs/${blob.digest}`, scripts[0]!, ...scripts.slice(1), content(blob.body));
    const { verdict } = await pull(`${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    if (verdict === 'right') right += 1;
    expect(upstream.bodyBytes()).toBeLessThanOrEqual(1.05 * size);
    expect(upstream.count()).toBe(5);
  }
  expect(right).toBe(runs);
});
