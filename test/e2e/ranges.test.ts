import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Reply } from '../fakes/request.js';
import { blobOf, makeBlob, makeImage } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Gate } from './support/gate.js';
import { heldBlob } from './support/held-blob.js';
import { Stage } from './support/stage.js';

const blob = makeBlob(1_000_000, 'ranges');
const size = blob.body.length;
const path = `team/app/blobs/${blob.digest}`;
const etag = `"${blob.digest}"`;

interface Case {
  readonly what: string;
  readonly headers: Record<string, string>;
  /** First and last byte; undefined for the whole. */
  readonly part?: readonly [number, number];
}

const responded: readonly Case[] = [
  { what: 'the first byte', headers: { range: 'bytes=0-0' }, part: [0, 0] },
  { what: 'a piece', headers: { range: 'bytes=1000-99999' }, part: [1000, 99_999] },
  { what: 'the rest from an offset', headers: { range: 'bytes=900000-' }, part: [900_000, size - 1] },
  { what: 'everything from the start', headers: { range: 'bytes=0-' }, part: [0, size - 1] },
  { what: 'the last byte', headers: { range: `bytes=${size - 1}-` }, part: [size - 1, size - 1] },
  { what: 'the last hundred', headers: { range: 'bytes=-100' }, part: [size - 100, size - 1] },
  { what: 'more of the end than there is', headers: { range: 'bytes=-5000000' }, part: [0, size - 1] },
  { what: 'a piece that ends after the end', headers: { range: 'bytes=10-9999999' }, part: [10, size - 1] },
  { what: 'a unit in capitals', headers: { range: 'Bytes=5-9' }, part: [5, 9] },
  { what: 'a matching If-Range', headers: { range: 'bytes=5-9', 'if-range': etag }, part: [5, 9] },
  { what: 'another If-Range', headers: { range: 'bytes=5-9', 'if-range': '"other"' } },
  { what: 'a weak If-Range', headers: { range: 'bytes=5-9', 'if-range': `W/${etag}` } },
  { what: 'a date as If-Range', headers: { range: 'bytes=5-9', 'if-range': 'Wed, 21 Oct 2015 07:28:00 GMT' } },
  { what: 'If-Range alone', headers: { 'if-range': etag } },
  { what: 'two ranges', headers: { range: 'bytes=0-1,5-9' } },
  { what: 'two ranges with spaces', headers: { range: 'bytes=0-1, 5-9' } },
  { what: 'a range the wrong way round', headers: { range: 'bytes=9-5' } },
  { what: 'another unit', headers: { range: 'items=0-5' } },
  { what: 'no unit', headers: { range: '0-5' } },
  { what: 'no numbers', headers: { range: 'bytes=-' } },
  { what: 'letters', headers: { range: 'bytes=a-b' } },
  { what: 'a negative number', headers: { range: 'bytes=--5' } },
  { what: 'a number too long', headers: { range: `bytes=${'9'.repeat(400)}-` } },
  { what: 'hexadecimal', headers: { range: 'bytes=0x0-0x5' } },
  { what: 'nothing', headers: { range: '' } },
];
const unsatisfiable = [`bytes=${size}-`, `bytes=${size}-${size + 5}`, 'bytes=99999999-', 'bytes=-0'];

function expectPart(reply: Reply, { what, part }: Case): void {
  const [first, last] = part ?? [0, size - 1];
  expect([reply.status, reply.headers['content-length'], reply.headers['content-range']], what).toEqual([
    part ? 206 : 200,
    String(last - first + 1),
    part && `bytes ${first}-${last}/${size}`,
  ]);
  expect(reply.headers).toMatchObject({ etag, 'accept-ranges': 'bytes', 'docker-content-digest': blob.digest });
  expect(reply.error, what).toBeUndefined();
  expect(reply.body.equals(blob.body.subarray(first, last + 1)), what).toBe(true);
}

function expectUnsatisfiable(reply: Reply): void {
  expectError(reply, 416, 'RANGE_INVALID');
  expect(reply.headers['content-range']).toBe(`bytes */${size}`);
}

/** The head of an answer whose body may be far away. */
async function open(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const sent = http.get(url, { headers, agent: false });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function rest(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

describe('a range of a stored blob', () => {
  it('is answered alone, and whatever is no single range with the whole', async () => {
    await using stage = await Stage.start();
    stage.registry.addBlob('team/app', blob);
    await stage.get(path);
    await stage.mirror.settled();
    for (const each of responded) expectPart(await stage.get(path, each.headers), each);
    for (const range of unsatisfiable) expectUnsatisfiable(await stage.get(path, { range }));
    expect(stage.asked).toEqual(['GET blob']);
  });

  it('is nothing that HEAD knows (RFC 9110 §14.2)', async () => {
    await using stage = await Stage.start();
    stage.registry.addBlob('team/app', blob);
    await stage.get(path);
    await stage.mirror.settled();
    for (const range of ['bytes=0-5', 'bytes=99999999-']) {
      const reply = await stage.head(path, { range });
      expect([reply.status, reply.headers['content-length']]).toEqual([200, String(size)]);
    }
  });

  it('is not satisfiable when the blob is empty', async () => {
    await using stage = await Stage.start();
    const empty = blobOf(Buffer.alloc(0));
    stage.registry.addBlob('team/app', empty);
    for (let round = 0; round < 2; round += 1) {
      for (const range of ['bytes=0-', 'bytes=-5']) {
        const reply = await stage.get(`team/app/blobs/${empty.digest}`, { range });
        expectError(reply, 416, 'RANGE_INVALID');
        expect(reply.headers['content-range']).toBe('bytes */0');
      }
      await stage.mirror.settled();
    }
    expect(stage.asked).toEqual(['GET blob']);
  });

  it('gives way to If-None-Match', async () => {
    await using stage = await Stage.start();
    stage.registry.addBlob('team/app', blob);
    const reply = await stage.get(path, { range: 'bytes=0-5', 'if-none-match': etag });
    expect(reply.status).toBe(304);
  });

  it('means nothing for a manifest', async () => {
    await using stage = await Stage.start();
    const image = makeImage();
    stage.registry.addImage('team/app', image, ['1']);
    const reply = await stage.get('team/app/manifests/1', { range: 'bytes=0-5' });
    expect([reply.status, reply.body.equals(image.manifest.body)]).toEqual([200, true]);
  });
});

describe('a range of a blob that is still downloading', () => {
  it('is sent as soon as the download covers it, and the upstream is asked once for the whole', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const whole = stage.get(path);
    const early = responded.filter(({ part }) => part && part[1] < 300_000);
    expect(early.length).toBeGreaterThan(3);
    for (const each of early) expectPart(await stage.get(path, each.headers), each);
    for (const range of unsatisfiable) expectUnsatisfiable(await stage.get(path, { range }));

    // Their heads come at once as well; their bodies need the rest.
    const late = responded.filter((each) => !early.includes(each));
    const opened = await Promise.all(late.map(({ headers }) => open(stage.urlOf(path), headers)));
    gate.open();
    for (const [index, response] of opened.entries()) expectPart(await rest(response), late[index]!);
    expectPart(await whole, { what: 'the whole', headers: {} });
    expect(stage.asked).toEqual(['GET blob']);
    await stage.mirror.settled();
    expect((await stage.get(path)).headers['x-cache']).toBe('HIT');
  });

  it('fetches the whole when it is the first request, which is then stored', async () => {
    await using stage = await Stage.start();
    stage.registry.addBlob('team/app', blob);
    const each = responded[1]!;
    expectPart(await stage.get(path, each.headers), each);
    await stage.mirror.settled();
    expectPart(await stage.get(path), { what: 'the whole', headers: {} });
    expect(stage.registry.requests.map(({ headers }) => headers.range)).toEqual([undefined]);
  });

  it('is answered with the whole while nobody knows how large it is', async () => {
    await using stage = await Stage.start({ registry: { omitContentLength: true } });
    stage.registry.addBlob('team/app', blob);
    const reply = await stage.get(path, { range: 'bytes=5-9' });
    expect([reply.status, reply.headers['content-length'], reply.error]).toEqual([200, undefined, undefined]);
    expect(reply.body.equals(blob.body)).toBe(true);
    await stage.mirror.settled();
    const each = responded[1]!;
    expectPart(await stage.get(path, each.headers), each);
  });
});
