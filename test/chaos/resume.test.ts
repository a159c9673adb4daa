import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { DrainService } from '../../src/distribution/server/drain.service.js';
import { DownloadsService } from '../../src/registry/mirrored/downloads/downloads.service.js';
import { MovingClock } from '../e2e/support/moving-clock.js';
import { Mirror } from '../e2e/support/mirror.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import * as scripted from '../fakes/scripted-upstream.js';
import { ScriptedUpstream, type Script, type Step } from '../fakes/scripted-upstream.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { pull, Watcher } from './support/client.js';
import { Gate, until } from './support/gate.js';
import { storedDigests } from './support/stored.js';

const app = RepositoryRef.parse('registry.test/app');
const { content, cut, cutAfter, head, reset } = scripted;
const size = 300_000;
const mebibyte = 1024 * 1024;

class Stage implements AsyncDisposable {
  private constructor(
    readonly upstream: ScriptedUpstream,
    readonly mirror: Mirror,
    private readonly clock: MovingClock,
  ) {}

  static async set(): Promise<Stage> {
    const clock = new MovingClock();
    const upstream = await ScriptedUpstream.start();
    const mirror = await Mirror.start({ clock, upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    return new Stage(upstream, mirror, clock);
  }

  /** What a client gets, and what was asked of the upstream for it. */
  async pull(blob: FixtureBlob, ...scripts: [Script, ...Script[]]) {
    this.upstream.reset();
    this.upstream.on('GET', `/v2/app/blobs/${blob.digest}`, ...scripts);
    const outcome = await pull(`${this.mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    await this.mirror.settled();
    return { ...outcome, asked: [...this.upstream.requests], bytes: this.upstream.bodyBytes() };
  }

  /** A step that waits until the mirror has taken so many bytes of a blob: what has only been sent is lost in a cut. */
  taken({ digest }: FixtureBlob, bytes: number): Step {
    const received = () => this.mirror.app.get(DownloadsService).find(app, Digest.parse(digest))?.received ?? 0;
    return () => until(() => received() >= bytes, `${bytes} bytes were received`);
  }

  /** Sends the blob from the start, or the rest of it, up to a place, and cuts the connection when that has arrived. */
  cutAt(blob: FixtureBlob, place: number, headers: Record<string, string> = {}): Script {
    return {
      respond: ({ headers: { range } }) => {
        const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
        const length = { 'content-length': blob.body.length - from, ...headers };
        const label = { 'content-range': `bytes ${from}-${blob.body.length - 1}/${blob.body.length}` };
        const start = from === 0 ? head(200, length) : head(206, { ...length, ...label });
        return [start, scripted.bytes(blob.body.subarray(from, place)), this.taken(blob, place), cut()];
      },
    };
  }

  /** It fails, nothing of it is kept, and the truth is had afterwards. */
  async expectFailure(blob: FixtureBlob, ...scripts: [Script, ...Script[]]) {
    const failed = await this.pull(blob, ...scripts);
    expect(failed.verdict).toBe('broken');
    expect(await storedDigests(this.mirror)).toEqual([]);
    this.clock.pass(3_600);
    expect((await this.pull(blob, content(blob.body))).verdict).toBe('right');
    return failed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.upstream.close();
  }
}

describe.concurrent('a download that is cut', () => {
  it('arrives whole after one to five cuts at any places, and hardly a byte is fetched twice', async () => {
    await using stage = await Stage.set();
    const large = 8 * mebibyte;
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: Math.floor(large / 6) }), { minLength: 1, maxLength: 5 }),
        async (pieces) => {
          const blob = makeBlob(large, `cuts ${(round += 1)}`);
          const scripts = pieces.map((bytes) => cutAfter(blob.body, bytes));
          const result = await stage.pull(blob, ...(scripts as [Script]), content(blob.body));
          expect(result.verdict).toBe('right');
          expect(result.asked).toHaveLength(pieces.length + 1);
          expect(result.bytes).toBeLessThanOrEqual(1.05 * large);
        },
      ),
      { numRuns: 12 },
    );
    expect(await storedDigests(stage.mirror)).toHaveLength(round);
  });

  it('arrives whole after resets, too', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(mebibyte, 'resets');
    const resetAfter = (bytes: number) => scripted.resetAfter(blob.body, bytes);
    const { verdict } = await stage.pull(blob, resetAfter(1), resetAfter(500_000), resetAfter(2), content(blob.body));
    expect(verdict).toBe('right');
  });

  it('asks for exactly the rest, and only of the same content', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'rest');
    const etag = '"v1"';
    const { verdict, asked, bytes } = await stage.pull(
      blob,
      stage.cutAt(blob, 100_000, { etag }),
      stage.cutAt(blob, 150_000, { etag }),
      content(blob.body, { headers: { etag } }),
    );
    expect([verdict, bytes]).toEqual(['right', size]);
    expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
    expect(asked.map(({ headers }) => headers['if-range'])).toEqual([undefined, etag, etag]);
  });

  it.each(['W/"weak"', 'no-quotes'])('is resumed without If-Range where the entity tag is %s', async (etag) => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, etag);
    const { verdict, asked } = await stage.pull(blob, stage.cutAt(blob, 70_000, { etag }), content(blob.body));
    expect([verdict, asked[1]?.headers['if-range'], asked[1]?.headers.range]).toEqual([
      'right',
      undefined,
      'bytes=70000-',
    ]);
  });

  it('goes on over the same bytes when the upstream sends everything again', async () => {
    await using stage = await Stage.set();
    for (const at of [1, 65_536, 150_000, size - 1]) {
      const blob = makeBlob(size, `again ${at}`);
      const { verdict, asked } = await stage.pull(blob, cutAfter(blob.body, at), content(blob.body, { ranges: false }));
      expect([verdict, asked.length]).toEqual(['right', 2]);
    }
  });

  it('goes on when everything that is sent again is cut, too', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'again and again');
    const whole = { ranges: false };
    const { verdict } = await stage.pull(
      blob,
      cutAfter(blob.body, 50_000, whole),
      cutAfter(blob.body, 120_000, whole),
      cutAfter(blob.body, 60_000, whole),
      content(blob.body, whole),
    );
    expect(verdict).toBe('right');
  });

  it('takes a part that is shorter than the rest, and asks on', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'parts');
    const part = (first: number, last: number): Script => [
      head(206, { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${size}` }),
      scripted.bytes(blob.body.subarray(first, last + 1)),
    ];
    const { verdict } = await stage.pull(
      blob,
      stage.cutAt(blob, 100_000),
      part(100_000, 199_999),
      part(200_000, size - 1),
    );
    expect(verdict).toBe('right');
  });

  it.each([500, 503, 429, 408])('survives an answer of %i in between', async (status) => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, status);
    const { verdict } = await stage.pull(
      blob,
      cutAfter(blob.body, 100_000),
      scripted.plain(status, 'not now'),
      content(blob.body),
    );
    expect(verdict).toBe('right');
  });

  it.each([
    [429, 1, 'right'],
    [503, 1, 'right'],
    [429, 60, 'broken'],
    [503, 60, 'broken'],
  ])('with an answer of %i that asks for a pause of %i s is %s in the end', async (status, seconds, expected) => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, `${status} ${seconds}`);
    const start = performance.now();
    const { verdict, asked } = await stage.pull(
      blob,
      cutAfter(blob.body, 100_000),
      scripted.plain(status, 'not now', { 'retry-after': seconds }),
      content(blob.body),
    );
    expect(verdict).toBe(expected);
    expect(asked).toHaveLength(expected === 'right' ? 3 : 2);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('survives an upstream that is unreachable for a moment', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'unreachable');
    const goAway = async (): Promise<void> => {
      void stage.upstream.kill();
      setTimeout(() => void stage.upstream.revive(), 150);
      await Promise.resolve();
    };
    const start = [head(200, { 'content-length': size }), scripted.bytes(blob.body.subarray(0, 100_000))];
    const { verdict } = await stage.pull(blob, [...start, stage.taken(blob, 100_000), goAway], content(blob.body));
    expect(verdict).toBe('right');
  });

  it('starts anew for the next client when nothing can be resumed', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'dead');
    const failed = await stage.expectFailure(blob, cutAfter(blob.body, 100_000), [reset()]);
    expect(failed.asked.length).toBeLessThanOrEqual(5);
  });

  it('ends cleanly after more cuts than are worth it', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'too many');
    const failed = await stage.expectFailure(blob, cutAfter(blob.body, size / 10));
    expect(failed.asked).toHaveLength(6);
    expect(failed.bytes).toBeLessThanOrEqual(size);
  });

  it.each([401, 403, 404])('ends when the upstream takes it away: %i', async (status) => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, status);
    const failed = await stage.expectFailure(blob, cutAfter(blob.body, 100_000), scripted.plain(status));
    expect(failed.asked.filter(({ path }) => path.includes(blob.digest))).toHaveLength(2);
  });

  it('is resumed at the place that a range client reads from', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'range');
    stage.upstream.on('GET', `/v2/app/blobs/${blob.digest}`, cutAfter(blob.body, 100_000), content(blob.body));
    const url = `${stage.mirror.url}/v2/registry.test/app/blobs/${blob.digest}`;
    const outcome = await pull(url, blob.body.subarray(90_000, 110_000), { headers: { range: 'bytes=90000-109999' } });
    expect([outcome.verdict, outcome.status]).toEqual(['right', 206]);
  });
});

describe('a client that joins while a download begins again', () => {
  it('never gets a mixture of two contents', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(size, 'mixture');
    const other = makeBlob(size, 'other content');
    const held = new Gate();
    const asked = new Gate();
    const announce: Step = () => asked.open();
    const path = `/v2/app/blobs/${blob.digest}`;
    stage.upstream.on(
      'GET',
      path,
      // Other content to begin with, which nobody reads; then the right one, slowly.
      {
        respond: () => [
          head(200, { 'content-length': size }),
          held.step,
          scripted.bytes(other.body.subarray(0, 150_000)),
          stage.taken(blob, 150_000),
          cut(),
        ],
      },
      content(blob.body, { ranges: false }),
      content(blob.body, { ranges: false }),
      {
        respond: () => [announce, scripted.wait(200), head(200, { 'content-length': size }), scripted.bytes(blob.body)],
      },
    );
    const url = `${stage.mirror.url}/v2/registry.test/app/blobs/${blob.digest}`;
    const leaver = await Watcher.open(url, blob.body);
    leaver.leave();
    await until(() => stage.mirror.app.get(DrainService).count === 0, 'the client had left');
    held.open();
    await Promise.race([asked.opened, stage.mirror.settled()]);
    const joiner = await pull(url, blob.body);
    expect(joiner.verdict).not.toBe('wrong');
  });
});

describe.concurrent('an upstream that resumes with other content', () => {
  const blob = makeBlob(size, 'content');
  const other = Buffer.from(blob.body);
  other.writeUInt8(other.readUInt8(10) ^ 1, 10);
  const otherEnd = Buffer.from(blob.body);
  otherEnd.writeUInt8(otherEnd.readUInt8(size - 10) ^ 1, size - 10);
  const whole = { ranges: false };
  const tagged = (etag: string) => ({ headers: { etag } });
  const cases: Record<string, [Script, ...Script[]]> = {
    'another beginning': [cutAfter(blob.body, 100_000), content(other, whole)],
    'another end': [cutAfter(blob.body, 100_000), content(otherEnd)],
    'another version': [cutAfter(other, 100_000, tagged('"a"')), content(blob.body, tagged('"b"'))],
    'a shorter whole': [cutAfter(blob.body, 100_000), content(blob.body.subarray(0, -1), whole)],
    'a whole shorter than what was there': [
      cutAfter(blob.body, 100_000),
      content(blob.body.subarray(0, 50_000), whole),
    ],
    'a whole that is cut before that': [cutAfter(blob.body, 100_000), cutAfter(blob.body, 50_000, whole), [reset()]],
    'a range that begins earlier': [cutAfter(blob.body, 100_000), scripted.rangeShifted(blob.body, -1)],
    'a range that begins later': [cutAfter(blob.body, 100_000), scripted.rangeShifted(blob.body, 1)],
    'a range that is another': [cutAfter(blob.body, 100_000), scripted.rangeMislabelled(blob.body)],
    'a range of something larger': [cutAfter(blob.body, 100_000), scripted.rangeOtherTotal(blob.body, 1)],
    'a range of something smaller': [cutAfter(blob.body, 100_000), scripted.rangeOtherTotal(blob.body, -1)],
    'a range without a label': [cutAfter(blob.body, 100_000), scripted.rangeUnlabelled(blob.body)],
    'a range that is too long': [
      cutAfter(blob.body, 100_000),
      [
        head(206, { 'content-length': size - 100_000 + 1, 'content-range': `bytes 100000-${size - 1}/${size}` }),
        scripted.bytes(blob.body.subarray(100_000)),
        scripted.bytes(Buffer.from('x')),
      ],
    ],
    'a page': [cutAfter(blob.body, 100_000), scripted.htmlPage()],
    'a compressed rest': [cutAfter(blob.body, 100_000), scripted.gzipEncoded(blob.body)],
    'no content': [cutAfter(blob.body, 100_000), [head(204)]],
    'a range that cannot be had': [cutAfter(blob.body, 100_000), scripted.plain(416)],
  };

  it.each(Object.entries(cases))('never completes a wrong body: %s', async (_, scripts) => {
    await using stage = await Stage.set();
    await stage.expectFailure(blob, ...scripts);
  });
});

describe('a download behind a redirect', () => {
  it('is resolved again when its signed URL has expired', async () => {
    await using registry = await FakeRegistry.start({ redirectBlobs: 307 });
    const blob = makeBlob(size, 'signed');
    registry.addBlob('app', blob);
    let cuts = 3;
    registry.behaviour.before = (request, response) => {
      if (request.kind !== 'cdn' || cuts === 0) return;
      cuts -= 1;
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const range = { 'content-range': `bytes ${from}-${size - 1}/${size}`, 'content-length': size - from };
      response.writeHead(from === 0 ? 200 : 206, from === 0 ? { 'content-length': size } : range);
      // Half of what is left; then the connection goes, and the URL with it.
      response.write(blob.body.subarray(from, from + (size - from) / 2), () => response.destroy());
      registry.cdn.expireAll();
    };
    const upstream = { namespace: 'registry.test', host: registry.host, ...registry.otherPorts };
    await using mirror = await Mirror.start({ upstreams: [upstream] });
    const outcome = await pull(`${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    expect(outcome.verdict).toBe('right');
    const urls = registry.select({ kind: 'cdn' }).map(({ url }) => url);
    expect(urls).toHaveLength(4);
    expect(new Set(urls).size).toBe(4);
    expect(registry.count({ kind: 'blob', method: 'GET' })).toBe(4);
  });
});
