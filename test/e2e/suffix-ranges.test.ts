import { describe, expect, it } from 'vitest';
import { bytes, content, head, plain, ScriptedUpstream, type Script } from '../fakes/scripted-upstream.js';
import { request } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import { Mirror } from './support/mirror.js';

const whole = (body: Buffer) => content(body, { ranges: false });
/** What registries without such ranges respond to one. */
const registries: Record<string, (body: Buffer) => Script> = {
  'the whole': whole,
  'the whole as a part': (body) => [
    head(206, { 'content-range': `bytes 0-${body.length - 1}/${body.length}`, 'content-length': body.length }),
    bytes(body),
  ],
  ...Object.fromEntries([400, 416, 501].map((status) => [String(status), () => plain(status)])),
};
const requests = [
  [9 * 1024 * 1024, 500],
  [100_000, 500],
  [1_000, 500],
  [1_000, 5_000],
] as const;

describe('the last bytes of a blob that is not stored', () => {
  const cases = Object.keys(registries).flatMap((what) =>
    (['fetch', 'fetch-only'] as const).map((distantRanges) => ({ what, distantRanges })),
  );
  it.each(cases)('come from a registry that responds with $what, $distantRanges', async ({ what, distantRanges }) => {
    const blobs = requests.map(([size, length]) => ({ length, blob: makeBlob(size, `${size} ${length}`) }));
    await using upstream = await ScriptedUpstream.start();
    upstream.on('GET', /blobs/, {
      respond: ({ headers, path }) => {
        const { body } = blobs.find(({ blob }) => path.endsWith(blob.digest))!.blob;
        return headers.range === undefined ? whole(body) : registries[what]!(body);
      },
    });
    const upstreams = [{ namespace: 'registry.test', host: upstream.host }];
    await using mirror = await Mirror.start({ upstreams, server: { distantRanges } });
    for (const { blob, length } of blobs) {
      const url = `${mirror.url}/v2/registry.test/team/app/blobs/${blob.digest}`;
      const reply = await request(url, { headers: { range: `bytes=-${length}` } });
      const part = blob.body.subarray(-length);
      const range = `bytes ${blob.body.length - part.length}-${blob.body.length - 1}/${blob.body.length}`;
      expect([reply.status, reply.headers['content-range'], reply.error]).toEqual([206, range, undefined]);
      expect(reply.body.equals(part)).toBe(true);
    }
  });
});
