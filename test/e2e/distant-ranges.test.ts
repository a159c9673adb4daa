import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { bytes, content, cut, head, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import type { Behaviour } from '../fakes/registry/behaviour.js';
import { request, type Reply } from '../fakes/request.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Gate } from './support/gate.js';
import { heldBlob } from './support/held-blob.js';
import { Mirror } from './support/mirror.js';
import { Stage, type StageOptions } from './support/stage.js';
import { storedFiles } from './support/stored-files.js';
import { until } from './support/until.js';

const mebibyte = 1024 * 1024;
const blob = makeBlob(12 * mebibyte, 'distant');
const size = blob.body.length;
const path = `team/app/blobs/${blob.digest}`;
const last = size - 1;

/** Ranges that lazy snapshotters ask for first, and what they are. */
const distant = [
  [`bytes=${size - 65_536}-${last}`, size - 65_536, last],
  [`bytes=${10 * mebibyte}-`, 10 * mebibyte, last],
  ['bytes=-100', size - 100, last],
  [`bytes=${10 * mebibyte}-${10 * mebibyte}`, 10 * mebibyte, 10 * mebibyte],
  [`bytes=${10 * mebibyte}-${size * 2}`, 10 * mebibyte, last],
] as const;

/** The whole is held back after some bytes; ranges are sent at once. */
function holdWhole(held: FixtureBlob, gate: Gate, sent = 100_000): NonNullable<Behaviour['before']> {
  const hold = heldBlob(held, sent, gate);
  return (asked, response) => (asked.headers.range === undefined ? hold(asked, response) : undefined);
}

async function stageWithBlob(options: StageOptions = {}): Promise<Stage> {
  const stage = await Stage.start(options);
  stage.registry.addBlob('team/app', blob);
  return stage;
}

function expectPart(reply: Reply, first: number, end: number): void {
  expect([reply.status, reply.headers['content-range'], reply.headers['content-length'], reply.error]).toEqual([
    206,
    `bytes ${first}-${end}/${size}`,
    String(end - first + 1),
    undefined,
  ]);
  expect(reply.headers).toMatchObject({ 'x-cache': 'MISS', etag: `"${blob.digest}"`, 'accept-ranges': 'bytes' });
  expect(reply.body.equals(blob.body.subarray(first, end + 1))).toBe(true);
}

const rangesOf = (stage: Stage) => stage.registry.requests.map(({ headers }) => headers.range);

describe('a range far ahead of a download', () => {
  it.each(distant)('comes at once, while the whole is downloaded and then stored: %s', async (range, first, end) => {
    await using stage = await stageWithBlob();
    using gate = new Gate();
    stage.registry.behaviour.before = holdWhole(blob, gate);
    expectPart(await stage.get(path, { range }), first, end);
    expect(rangesOf(stage).sort()).toEqual([range, undefined]);
    gate.open();
    await stage.mirror.settled();
    expect((await stage.get(path)).headers['x-cache']).toBe('HIT');
    expect((await stage.get(path, { range })).headers['x-cache']).toBe('HIT');
    expect(stage.registry.requests).toHaveLength(2);
  });

  it('comes at once to those who join a running download, and what is near comes with the download', async () => {
    await using stage = await stageWithBlob();
    using gate = new Gate();
    stage.registry.behaviour.before = holdWhole(blob, gate, mebibyte);
    const whole = stage.get(path);
    expectPart(await stage.get(path, { range: 'bytes=500000-500000' }), 500_000, 500_000);
    const near = stage.get(path, { range: `bytes=${8 * mebibyte}-` });
    const [range, first, end] = distant[0];
    expectPart(await stage.get(path, { range }), first, end);
    gate.open();
    expectPart(await near, 8 * mebibyte, last);
    expect((await whole).body.equals(blob.body)).toBe(true);
    expect(rangesOf(stage)).toEqual([undefined, range]);
  });

  it('is authorised and redirected as everything else', async () => {
    const registry = { auth: 'bearer', anonymous: false, access: {}, redirectBlobs: 307 } as const;
    await using stage = await stageWithBlob({ registry, upstream: { username: 'user', password: 'planted-password' } });
    for (const [range, first, end] of distant) expectPart(await stage.get(path, { range }), first, end);
  });

  it('comes from a registry that does not say how long the blob is otherwise', async () => {
    await using stage = await stageWithBlob({ registry: { omitContentLength: true } });
    using gate = new Gate();
    stage.registry.behaviour.before = holdWhole(blob, gate);
    const [range, first, end] = distant[0];
    expectPart(await stage.get(path, { range }), first, end);
  });

  it.each([401, 403, 404])('is refused with %i where the registry refuses it', async (status) => {
    await using stage = await Stage.start();
    stage.registry.behaviour.before = (_, response) => void response.writeHead(status, { 'content-length': 0 }).end();
    expect((await stage.get(path, { range: distant[0][0] })).status).toBe(status);
  });

  it('is not satisfiable beyond the end', async () => {
    await using stage = await stageWithBlob();
    for (const range of [`bytes=${size}-`, `bytes=${size * 3}-${size * 4}`])
      expectError(await stage.get(path, { range }), 416, 'RANGE_INVALID');
  });

  it('waits for the download where the registry has no ranges', async () => {
    await using stage = await stageWithBlob({ registry: { ranges: false } });
    for (const [range, first, end] of distant) expectPart(await stage.get(path, { range }), first, end);
  });
});

describe('--distant-ranges', () => {
  it('fetch-only begins no download, until somebody wants what is near', async () => {
    await using stage = await stageWithBlob({ server: { distantRanges: 'fetch-only' } });
    for (const [range, first, end] of distant) expectPart(await stage.get(path, { range }), first, end);
    await stage.mirror.settled();
    expect(rangesOf(stage)).toEqual(distant.map(([range]) => range));
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
    expectPart(await stage.get(path, { range: 'bytes=0-99' }), 0, 99);
    await stage.mirror.settled();
    expect((await stage.get(path)).headers['x-cache']).toBe('HIT');
  });

  it('fetch-only fetches nothing alone that begins near the start of a small blob', async () => {
    await using stage = await Stage.start({ server: { distantRanges: 'fetch-only' } });
    const small = makeBlob(100_000, 'small');
    stage.registry.addBlob('team/app', small);
    const reply = await stage.get(`team/app/blobs/${small.digest}`, { range: 'bytes=-100' });
    expect([reply.status, reply.body.equals(small.body.subarray(-100))]).toEqual([206, true]);
    await stage.mirror.settled();
    expect((await stage.get(`team/app/blobs/${small.digest}`)).headers['x-cache']).toBe('HIT');
  });

  it('wait leaves every range to the download', async () => {
    await using stage = await stageWithBlob({ server: { distantRanges: 'wait' } });
    for (const [range, first, end] of distant) expectPart(await stage.get(path, { range }), first, end);
    expect(rangesOf(stage)).toEqual([undefined]);
  });
});

describe('a registry that answers a range wrongly', () => {
  const [range, first, end] = distant[0];
  const part = blob.body.subarray(first, end + 1);
  const fields = (contentRange: string, length = part.length) => ({
    'content-range': contentRange,
    'content-length': length,
  });

  it.each([
    ['another range', [head(206, fields(`bytes 0-65535/${size}`)), bytes(part)]],
    ['another end', [head(206, fields(`bytes ${first}-${end - 1}/${size}`, part.length - 1)), bytes(part.subarray(1))]],
    ['another size', [head(206, fields(`bytes ${first}-${end}/${size + 5}`)), bytes(part)]],
    ['no size', [head(206, fields(`bytes ${first}-${end}/*`)), bytes(part)]],
    ['another length', [head(206, fields(`bytes ${first}-${end}/${size}`, 5)), bytes(part.subarray(0, 5))]],
    ['no range', [head(206, { 'content-length': part.length }), bytes(part)]],
    ['416', [head(416, { 'content-length': 0 })]],
    ['503', [head(503, { 'content-length': 0 })]],
  ])('is not believed, and the download has the bytes: %s', async (_, steps) => {
    await using upstream = await ScriptedUpstream.start();
    const whole = content(blob.body);
    upstream.on('GET', /blobs/, { respond: ({ headers }) => (headers.range === undefined ? whole : steps) });
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    expectPart(await request(`${mirror.url}/v2/registry.test/${path}`, { headers: { range } }), first, end);
  });

  it('is asked for the rest after a cut', async () => {
    await using upstream = await ScriptedUpstream.start();
    const asked: (string | undefined)[] = [];
    const etag = '"strong"';
    upstream.on('GET', /blobs/, {
      respond: ({ headers }) => {
        const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? Number.NaN);
        if (Number.isNaN(from)) return content(blob.body);
        asked.push(headers.range);
        const rest = blob.body.subarray(from, end + 1);
        const start = head(206, { ...fields(`bytes ${from}-${end}/${size}`, rest.length), etag });
        return asked.length < 4 ? [start, bytes(rest.subarray(0, 20_000)), cut()] : [start, bytes(rest)];
      },
    });
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    expectPart(await request(`${mirror.url}/v2/registry.test/${path}`, { headers: { range } }), first, end);
    expect(asked).toEqual([0, 20_000, 40_000, 60_000].map((sent) => `bytes=${first + sent}-${end}`));
  });

  it('and changes the blob after a cut gives the client no complete range', async () => {
    await using upstream = await ScriptedUpstream.start();
    let count = 0;
    upstream.on('GET', /blobs/, {
      respond: ({ headers }) => {
        if (headers.range === undefined) return content(blob.body);
        count += 1;
        if (count > 1) return content(makeBlob(size, 'other').body, { ranges: false });
        return [head(206, fields(`bytes ${first}-${end}/${size}`)), bytes(part.subarray(0, 20_000)), cut()];
      },
    });
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const reply = await request(`${mirror.url}/v2/registry.test/${path}`, { headers: { range } });
    expect([reply.status, reply.error === undefined]).toEqual([206, false]);
  });
});

describe('clients of distant ranges', () => {
  async function open(url: string): Promise<IncomingMessage> {
    const sent = http.get(url, { headers: { range: `bytes=${9 * mebibyte}-` }, agent: false });
    sent.on('error', () => undefined);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    return response;
  }

  it('take an eighth of the connections of a registry, and give them back when they leave', async () => {
    await using stage = await stageWithBlob({ upstream: { maxConnections: 16 } });
    using gate = new Gate();
    const hold = holdWhole(blob, gate);
    const held = new Set<unknown>();
    stage.registry.behaviour.before = async (asked, response) => {
      await hold(asked, response);
      if (asked.headers.range === undefined) return;
      response.writeHead(206, {
        'content-range': `bytes ${9 * mebibyte}-${last}/${size}`,
        'content-length': 3 * mebibyte,
      });
      response.write(blob.body.subarray(9 * mebibyte, 9 * mebibyte + 10));
      held.add(response);
      await once(response, 'close');
      held.delete(response);
    };
    for (let round = 0; round < 3; round += 1) {
      const clients = [await open(stage.urlOf(path)), await open(stage.urlOf(path))];
      expect(held.size).toBe(2);
      // The third is left to the download, whose head is here.
      const third = await open(stage.urlOf(path));
      expect([third.statusCode, held.size]).toEqual([206, 2]);
      for (const client of [...clients, third]) client.destroy();
      await until('the registry is left alone', () => held.size === 0);
    }
  });
});
