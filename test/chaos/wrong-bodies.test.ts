import { describe, expect, it } from 'vitest';
import { MovingClock } from '../e2e/support/moving-clock.js';
import { Mirror } from '../e2e/support/mirror.js';
import * as scripted from '../fakes/scripted-upstream.js';
import { ScriptedUpstream, type Script } from '../fakes/scripted-upstream.js';
import { blobOf, fixtureMediaTypes, makeBlob, makeImage, type FixtureBlob } from '../fixtures/images.js';
import { codeOf, pull, pullRaw, type Outcome } from './support/client.js';
import { FastTime } from './support/fast-time.js';
import { storedDigests } from './support/stored.js';

const kibibyte = 1024;
const sizes = [0, 1, 100, 60 * kibibyte, 64 * kibibyte, 64 * kibibyte + 1, 1024 * kibibyte];
/** Content up to this size is verified before its first byte leaves. */
const small = 64 * kibibyte;
/** Bytes that a lie adds at most, and small content that is still small with them. */
const isSmall = (blob: FixtureBlob) => blob.body.length + kibibyte < small;

interface Lie {
  /** One for each request; the last one repeats. */
  readonly scripts: (body: Buffer) => readonly [Script, ...Script[]];
  /** Smallest content that it can be told of. */
  readonly from?: number;
  /** What clients of small content get, when there is only one way. */
  readonly status?: number;
}

const { bytes, cut, cutAfter, head, raw, reset, resetAfter } = scripted;
const octets = { 'content-type': 'application/octet-stream' };

const lies: Record<string, Lie> = {
  'a body that ends early': { scripts: (body) => [scripted.shortBody(body)], from: 1 },
  'more bytes than announced': { scripts: (body) => [scripted.longBody(body)], status: 200 },
  'announced padding': { scripts: (body) => [scripted.paddedBody(body)], status: 502 },
  'an announced truncation': { scripts: (body) => [scripted.truncatedBody(body)], from: 1, status: 502 },
  'a truncation by 64 KiB': { scripts: (body) => [scripted.truncatedBody(body, small)], from: small },
  'one wrong bit': { scripts: (body) => [scripted.wrongBytes(body)], from: 1, status: 502 },
  'compressed content': { scripts: (body) => [scripted.gzipEncoded(body)], status: 502 },
  'a page with status 200': { scripts: () => [scripted.htmlPage()], status: 502 },
  'no length and half of the body': { scripts: (body) => [scripted.untilClosed(body.subarray(0, body.length / 2))] },
  'chunks without an end': {
    scripts: (body) => [scripted.unterminatedChunks(body.subarray(0, body.length - 1))],
    from: 2,
  },
  'chunks that are garbage': {
    scripts: (body) => [
      [head(200, { ...octets, 'transfer-encoding': 'chunked' }), raw('10\r\n'), bytes(body), raw('\r\nZZZ\r\n'), cut()],
    ],
  },
  'whole chunks of other content': {
    scripts: (body) => [
      [head(200, { ...octets, 'transfer-encoding': 'chunked' }), scripted.chunked([Buffer.from('no'), body])],
    ],
  },
  'two lengths': { scripts: (body) => [scripted.twoLengths(body)], status: 502 },
  'a length that is no number': {
    scripts: (body) => [[head(200, { ...octets, 'content-length': 'many' }), bytes(body), cut()]],
    status: 502,
  },
  'a length and chunks at once': {
    scripts: (body) => [
      [
        head(200, { 'content-length': body.length, 'transfer-encoding': 'chunked' }),
        scripted.chunked([Buffer.from('no')]),
      ],
    ],
    status: 502,
  },
  'no HTTP': { scripts: () => [scripted.garbageStatusLine()], status: 502 },
  'headers without end': { scripts: () => [scripted.endlessHeaders()], status: 502 },
  'half a head': { scripts: () => [[raw('HTTP/1.1 200 OK\r\ncontent-le'), cut()]], status: 503 },
  'a reset instead of an answer': { scripts: () => [[reset()]], status: 503 },
  'a range that nobody asked for': {
    scripts: (body) => [
      [head(206, { 'content-length': 1, 'content-range': `bytes 0-0/${body.length}` }), bytes(body.subarray(0, 1))],
    ],
    from: 1,
    status: 502,
  },
  'no content': { scripts: () => [[head(204)]], status: 502 },
  'a redirect to nowhere': { scripts: () => [[head(307, { 'content-length': 0 })]], status: 502 },
};

/** Cuts after which nothing can be had any more, at the places where an error of counting would show. */
const cuts = (size: number) =>
  [0, 1, size / 2, size - small - 1, size - small, size - small + 1, size - 1]
    .map(Math.floor)
    .filter((at, index, all) => at >= 0 && at < size && all.indexOf(at) === index);

const clients: Record<string, (url: string, truth: Buffer) => Promise<Outcome[]>> = {
  'one client': async (url, truth) => [await pull(url, truth)],
  'three followers': (url, truth) => Promise.all([pull(url, truth), pull(url, truth), pull(url, truth)]),
  'a client of HTTP/1.0': async (url, truth) => [await pullRaw(url, truth)],
};

/** Content of a few bytes may be the same in several cases. */
function withoutRepeats<T extends { readonly blob: FixtureBlob }>(cases: readonly T[]): T[] {
  return cases.filter(({ blob }, at) => cases.findIndex((one) => one.blob.digest === blob.digest) === at);
}

const repository = (mirror: Mirror) => `${mirror.url}/v2/registry.test/app`;
const clock = new MovingClock();
const start = (upstream: ScriptedUpstream) =>
  Mirror.start({ clock, upstreams: [{ namespace: 'registry.test', host: upstream.host }] });

async function pullAll(
  upstream: ScriptedUpstream,
  mirror: Mirror,
  blob: FixtureBlob,
  scripts: readonly [Script, ...Script[]],
  pullOnce: (url: string, truth: Buffer) => Promise<Outcome[]>,
): Promise<Outcome[]> {
  upstream.on('GET', `/v2/app/blobs/${blob.digest}`, ...scripts);
  return pullOnce(`${repository(mirror)}/blobs/${blob.digest}`, blob.body);
}

/** The upstream comes to its senses: what it lied about is had, and only now stored. A few stand for all. */
async function heal(upstream: ScriptedUpstream, mirror: Mirror, all: readonly FixtureBlob[]): Promise<void> {
  const blobs = sizes.flatMap((size) => all.find(({ body }) => body.length === size) ?? []);
  const before = await storedDigests(mirror);
  for (const { digest, body } of blobs) upstream.on('GET', `/v2/app/blobs/${digest}`, scripted.content(body));
  // What the mirror remembers of the trouble it had is over.
  clock.pass(3_600);
  const pullTrue = ({ digest, body }: FixtureBlob) => pull(`${repository(mirror)}/blobs/${digest}`, body);
  // After an outage one request is let through to see whether it is over.
  const first = await Promise.all(blobs.slice(0, 1).map(pullTrue));
  const responses = [...first, ...(await Promise.all(blobs.slice(1).map(pullTrue)))];
  expect(responses.map(({ verdict }) => verdict)).toEqual(blobs.map(() => 'right'));
  await mirror.settled();
  const digests = new Set([...before, ...blobs.map(({ digest }) => digest)]);
  expect((await storedDigests(mirror)).sort()).toEqual([...digests].sort());
}

describe.concurrent.each(Object.entries(lies))('an upstream that sends %s', (name, { scripts, from = 0, status }) => {
  it('never makes a client take a wrong blob for the right one, nor the store, and can be believed again', async () => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    const cases = Object.entries(clients).flatMap(([who, pullOnce]) =>
      sizes.filter((size) => size >= from).map((size) => ({ blob: makeBlob(size, `${name} ${who}`), pullOnce })),
    );
    const distinct = withoutRepeats(cases);
    const outcomes = await Promise.all(
      distinct.map(async ({ blob, pullOnce }) => ({
        blob,
        outcomes: await pullAll(upstream, mirror, blob, scripts(blob.body), pullOnce),
      })),
    );
    await mirror.settled();
    const all = outcomes.flatMap((one) => one.outcomes);
    expect(all.filter(({ verdict }) => verdict === 'wrong')).toEqual([]);
    const right = outcomes.filter((one) => one.outcomes.some(({ verdict }) => verdict === 'right'));
    expect((await storedDigests(mirror)).sort()).toEqual(right.map(({ blob }) => blob.digest).sort());
    if (status !== undefined) {
      const ofSmall = outcomes.filter(({ blob }) => isSmall(blob)).flatMap((one) => one.outcomes);
      expect(new Set(ofSmall.map((outcome) => outcome.status))).toEqual(new Set([status]));
    }
    await heal(
      upstream,
      mirror,
      distinct.map(({ blob }) => blob),
    );
  });
});

describe('a download that breaks off for good', () => {
  it.concurrent.each(['cut', 'reset'])('reaches no client as a whole after a %s, wherever it was', async (how) => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    const breakAfter = how === 'cut' ? cutAfter : resetAfter;
    const cases = Object.entries(clients).flatMap(([who, pullOnce]) =>
      sizes.flatMap((size) =>
        cuts(size).map((at) => ({ at, pullOnce, size, blob: makeBlob(size, `${who} ${at} ${how}`) })),
      ),
    );
    const distinct = withoutRepeats(cases);
    const outcomes = await Promise.all(
      distinct.map(async ({ at, size, blob, pullOnce }) => ({
        size,
        outcomes: await pullAll(upstream, mirror, blob, [breakAfter(blob.body, at), [reset()]], pullOnce),
      })),
    );
    await mirror.settled();
    const all = outcomes.flatMap((one) => one.outcomes);
    expect(all.filter(({ verdict }) => verdict === 'wrong' || verdict === 'right')).toEqual([]);
    const ofSmall = outcomes.filter(({ size }) => size < small).flatMap((one) => one.outcomes);
    // Headers leave after a second, whatever is still to come.
    for (const { status } of ofSmall) expect([503, 200]).toContain(status);
    expect(await storedDigests(mirror)).toEqual([]);
    await heal(
      upstream,
      mirror,
      distinct.map(({ blob }) => blob),
    );
  });
});

describe('an upstream that falls silent', () => {
  const silences: [string, (body: Buffer) => [Script, ...Script[]]][] = [
    ['before its answer', () => [[scripted.silence()]]],
    ['after its head', (body) => [scripted.stallAfter(body, 0)]],
    ['in the middle of the body', (body) => [scripted.stallAfter(body, 50), scripted.stallAfter(body, 0)]],
  ];

  it('lets nobody wait for ever, whenever it does so', async () => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    const cases = silences.flatMap(([when, scripts]) =>
      [100, small, 1024 * kibibyte].map((size) => ({ blob: makeBlob(size, when), scripts })),
    );
    {
      using time = new FastTime();
      const outcomes = await Promise.all(
        cases.map(({ blob, scripts }) =>
          pullAll(upstream, mirror, blob, scripts(blob.body), clients['three followers']!),
        ),
      );
      for (const { verdict } of outcomes.flat()) expect(['broken', 'refused']).toContain(verdict);
      await mirror.settled();
      // Three times twenty seconds without progress, and what the resumes wait.
      expect(time.seconds).toBeLessThanOrEqual(120);
    }
    expect(await storedDigests(mirror)).toEqual([]);
    await heal(
      upstream,
      mirror,
      cases.map(({ blob }) => blob),
    );
  });
});

describe('a manifest that an upstream lies about', () => {
  const { manifest } = makeImage({ layers: [100] });
  const truth = (extra: Record<string, string> = {}) =>
    scripted.content(manifest.body, {
      headers: { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest, ...extra },
    });
  const typed = { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest };
  const sent = (body: Buffer, headers: Record<string, string> = {}): Script => [
    head(200, { ...typed, 'content-length': body.length, ...headers }),
    bytes(body),
  ];
  const otherSpaces = Buffer.from(JSON.stringify(JSON.parse(manifest.body.toString())));
  const withIndex = Buffer.from(JSON.stringify({ ...(JSON.parse(manifest.body.toString()) as object), manifests: [] }));
  const responses: Record<string, [Script, number]> = {
    'the same document spelled otherwise': [sent(otherSpaces), 502],
    'one wrong bit': [scripted.wrongBytes(manifest.body, typed), 502],
    'an announced truncation': [sent(manifest.body.subarray(0, -1)), 502],
    'a body that ends early': [scripted.shortBody(manifest.body), 503],
    'compressed content': [scripted.gzipEncoded(manifest.body), 502],
    'a page with status 200': [scripted.htmlPage(), 502],
    'nothing at all': [sent(Buffer.alloc(0)), 502],
    'a document of two kinds': [sent(withIndex), 502],
    'five megabytes': [sent(Buffer.alloc(5 * 1024 * kibibyte, '{')), 502],
    'chunks without an end': [scripted.unterminatedChunks(manifest.body), 503],
    'half a body until FIN': [scripted.untilClosed(manifest.body.subarray(0, 40)), 502],
    'no HTTP': [scripted.garbageStatusLine(), 502],
  };

  it.concurrent.each(Object.entries(responses))('is refused and not stored: %s', async (_, [script, status]) => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    for (const reference of [manifest.digest, 'latest']) {
      upstream.on('GET', `/v2/app/manifests/${reference}`, script);
      const url = `${repository(mirror)}/manifests/${reference}`;
      const outcomes = await Promise.all([
        pull(url, manifest.body),
        pull(url, manifest.body),
        pullRaw(url, manifest.body),
      ]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ verdict: 'refused', status });
    }
    expect(await storedDigests(mirror)).toEqual([]);
    clock.pass(3_600);
    for (const reference of [manifest.digest, 'latest']) {
      upstream.on('GET', `/v2/app/manifests/${reference}`, truth());
      const healed = await pull(`${repository(mirror)}/manifests/${reference}`, manifest.body);
      expect(healed).toMatchObject({ verdict: 'right', headers: { 'content-type': manifest.mediaType } });
    }
    expect(await storedDigests(mirror)).toEqual([manifest.digest]);
  });

  it.each([
    ['too short', { 'content-length': '10' }],
    ['too long', { 'content-length': '100000' }],
    ['another media type', { 'content-type': fixtureMediaTypes.dockerList }],
  ])('has its own size and media type even when HEAD told something else: %s', async (_, lie) => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    upstream.on('HEAD', '/v2/app/manifests/latest', truth(lie));
    upstream.on('GET', `/v2/app/manifests/${manifest.digest}`, truth());
    const url = `${repository(mirror)}/manifests/latest`;
    // A HEAD that comes first is answered by a HEAD, and what it says is believed until there are bytes.
    await pull(url, Buffer.alloc(0), { method: 'HEAD' });
    const outcome = await pull(url, manifest.body);
    expect(outcome).toMatchObject({
      verdict: 'right',
      headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.body.length) },
    });
    expect(await pullRaw(url, manifest.body)).toMatchObject({ verdict: 'right' });
  });

  it('is not announced under one digest with the headers of another', async () => {
    await using upstream = await ScriptedUpstream.start();
    await using mirror = await start(upstream);
    const other = blobOf(Buffer.from('{}'));
    upstream.on('HEAD', `/v2/app/manifests/${manifest.digest}`, truth({ 'docker-content-digest': other.digest }));
    upstream.on('GET', `/v2/app/manifests/${manifest.digest}`, scripted.htmlPage());
    const url = `${repository(mirror)}/manifests/${manifest.digest}`;
    expect(await pull(url, Buffer.alloc(0), { method: 'HEAD' })).toMatchObject({ status: 502 });
    const refused = await pull(url, manifest.body);
    expect([refused.verdict, codeOf(refused)]).toEqual(['refused', 'UPSTREAM_ERROR']);
  });
});
