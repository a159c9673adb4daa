import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeBlob } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Conversation } from './support/conversation.js';
import { Hosting, withQuery } from './support/hosting.js';
import { finish, half, headOf, partial as blob } from './support/partial.js';

const app = '/v2/local/app';

describe('a client that leaves in a body', () => {
  it.each([
    ['with a reset', (client: Conversation) => client.leave()],
    ['with an end', (client: Conversation) => void client[Symbol.asyncDispose]()],
  ])('%s leaves what it sent', async (_, leave) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    const leaver = await Conversation.open(hosting.url);
    leaver.say(headOf('PATCH', location, blob.body.length));
    leaver.say(half);
    await sleep(200);
    leave(leaver);
    await hosting.mirror.settled();
    await finish(hosting, location);
  });

  it('of a manifest or of a blob in one request leaves nothing', async () => {
    await using hosting = await Hosting.start();
    for (const target of [`PUT ${app}/manifests/1`, `POST ${app}/blobs/uploads/?digest=${blob.digest}`]) {
      const leaver = await Conversation.open(hosting.url);
      const [method = '', path = ''] = target.split(' ');
      leaver.say(headOf(method, path, blob.body.length));
      leaver.say(half);
      await sleep(100);
      leaver.leave();
    }
    await hosting.mirror.settled();
    expect((await hosting.ask('HEAD', `${app}/blobs/${blob.digest}`)).status).toBe(404);
  });
});

describe('a body that is not what its header says', () => {
  it.each([
    ['chunks of no size', 'xyz\r\nhello\r\n0\r\n\r\n'],
    ['a chunk longer than it says', '3\r\nhello\r\n0\r\n\r\n'],
    ['a negative chunk', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a chunk of 2^64 bytes', '10000000000000000\r\nhello'],
    ['no chunk at all', '\0\0\0\0\0\0\0\0'],
  ])('%s is 400, and the session goes on', async (_, body) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    await using liar = await Conversation.open(hosting.url);
    liar.say(`PATCH ${location} HTTP/1.1\r\nhost: m\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
    liar.say(body);
    expect((await liar.hear()).status).toBe(400);
    await liar.ended();
    await hosting.mirror.settled();
    expect((await hosting.ask('GET', location)).status).toBe(204);
    expect((await hosting.ask('DELETE', location)).status).toBe(204);
  });

  it.each([
    ['a length that is none', ['content-length: x']],
    ['a negative length', ['content-length: -1']],
    ['two lengths', ['content-length: 1', 'content-length: 2']],
    ['a length and chunks', ['content-length: 5', 'transfer-encoding: chunked']],
    ['a coding that nobody knows', ['transfer-encoding: gzip']],
    ['a header of 20 KB', ['content-length: 0', `x-long: ${'x'.repeat(20_000)}`]],
  ])('%s is refused', async (_, headers) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    await using liar = await Conversation.open(hosting.url);
    liar.say(`PATCH ${location} HTTP/1.1\r\nhost: m\r\n${headers.join('\r\n')}\r\n\r\nhello`);
    const refusal = await liar.hear();
    expect(refusal.status).toBeGreaterThanOrEqual(400);
    expect(refusal.status).toBeLessThan(500);
    await liar.ended();
    await hosting.mirror.settled();
    expect((await hosting.ask('GET', location)).headers.range).toBe('0-0');
  });

  it.each([
    ['garbage', 'x', 400, 'BLOB_UPLOAD_INVALID'],
    ['backwards', '9-0', 400, 'BLOB_UPLOAD_INVALID'],
    ['of another length', '0-9', 400, 'SIZE_INVALID'],
    ['of the universe', `0-${'9'.repeat(40)}`, 400, 'BLOB_UPLOAD_INVALID'],
  ] as const)('a Content-Range that is %s is refused, and the session goes on', async (_, range, status, code) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    const refusal = await hosting.ask('PATCH', location, { body: half, headers: [`content-range: ${range}`] });
    expectError(refusal, status, code);
    await finish(hosting, location);
  });

  it.each([
    ['none', ''],
    ['one that is none', 'digest=sha256:x'],
    ['two', `digest=${blob.digest}&digest=sha256:${'0'.repeat(64)}`],
    ['of an unknown algorithm', `digest=md5:${'0'.repeat(32)}`],
  ])('a digest at the end that is %s is refused before the body, and the session goes on', async (_, query) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    expectError(await hosting.ask('PUT', withQuery(location, query), { body: half }), 400, 'DIGEST_INVALID');
    await finish(hosting, location);
  });

  it('a digest of other bytes is refused, and nothing of it can be read', async () => {
    await using hosting = await Hosting.start();
    const other = makeBlob(100, 'other');
    const put = await hosting.ask('PUT', withQuery(await hosting.begin(), `digest=${other.digest}`), { body: half });
    expectError(put, 400, 'DIGEST_INVALID');
    const posted = await hosting.ask('POST', `${app}/blobs/uploads/?digest=${other.digest}`, { body: half });
    expectError(posted, 400, 'DIGEST_INVALID');
    expect((await hosting.ask('HEAD', `${app}/blobs/${other.digest}`)).status).toBe(404);
  });

  it('a manifest of more than 4 MiB is 413, with a length and without', async () => {
    await using hosting = await Hosting.start();
    const body = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');
    expectError(await hosting.ask('PUT', `${app}/manifests/1`, { body }), 413, 'SIZE_INVALID');
    expectError(await hosting.ask('PUT', `${app}/manifests/1`, { body: [body] }), 413, 'SIZE_INVALID');
  });
});

describe('a method that an upload does not have', () => {
  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])('%s of no session is refused', async (method) => {
    await using hosting = await Hosting.start();
    const { status } = await hosting.ask(method, `${app}/blobs/uploads/`, { body: method === 'PUT' ? 'x' : undefined });
    expect([400, 404, 405]).toContain(status);
    expect((await hosting.ask('GET', '/v2/')).status).toBe(200);
  });

  it('HEAD of a session says where it stands', async () => {
    await using hosting = await Hosting.start();
    const { headers } = await hosting.ask('PATCH', await hosting.begin(), { body: half });
    const head = await hosting.ask('HEAD', headers.location!);
    expect(head).toMatchObject({ status: 204, headers: { range: '0-99999' } });
  });

  it('POST to a session is 405, and Allow says what is', async () => {
    await using hosting = await Hosting.start();
    const refusal = await hosting.ask('POST', await hosting.begin(), { body: '' });
    expectError(refusal, 405, 'UNSUPPORTED');
    expect(refusal.headers.allow).toBe('GET, HEAD, PATCH, PUT, DELETE');
  });
});

describe('a connection after the response to a push', () => {
  it('serves the next request, whatever the response was', async () => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    const requests: [method: string, target: string, status: number][] = [
      ['POST', `${app}/blobs/uploads/`, 202],
      ['PATCH', location, 202],
      ['PATCH', `${app}/blobs/uploads/${'f'.repeat(32)}`, 404],
      ['PUT', `${app}/manifests/1`, 400],
      ['PUT', '/v2/registry.test/app/manifests/1', 405],
      ['POST', '/v2/registry.test/app/blobs/uploads/', 405],
      ['POST', `${app}/blobs/uploads/?digest=${blob.digest}`, 201],
      ['DELETE', `${app}/blobs/${blob.digest}`, 202],
      ['GET', '/v2/', 200],
    ];
    for (const [method, target, status] of requests) {
      const response = await hosting.ask(method, target, { body: blob.body });
      expect([target, response.status, response.headers.connection]).toEqual([target, status, 'keep-alive']);
    }
    expect(hosting.client.isOver).toBe(false);
  });

  it('serves pipelined pushes in order', async () => {
    await using hosting = await Hosting.start();
    const layers = Array.from({ length: 20 }, (_, index) => makeBlob(index * 7_000 + 1, `pipelined-${index}`));
    const requests = layers.map(({ digest, body }) =>
      Conversation.bytesOf('POST', `${app}/blobs/uploads/?digest=${digest}`, { body }),
    );
    const gets = layers.map(({ digest }) => Conversation.bytesOf('GET', `${app}/blobs/${digest}`));
    hosting.client.say(Buffer.concat([...requests, ...gets]));
    for (const { digest } of layers)
      expect((await hosting.client.hear()).headers['docker-content-digest']).toBe(digest);
    for (const { body } of layers) expect((await hosting.client.hear()).body.equals(body)).toBe(true);
  });

  it('of a refused body of 1 GB ends soon, and its client sees the refusal', async () => {
    await using hosting = await Hosting.start();
    await using large = await Conversation.open(hosting.url);
    large.say(headOf('PUT', '/v2/registry.test/app/manifests/1', 1_000_000_000));
    const writing = setInterval(() => !large.isOver && large.say(Buffer.alloc(1_000_000)), 10);
    try {
      const refusal = await large.hear();
      expectError(refusal, 405, 'UNSUPPORTED');
      expect(refusal.headers.connection).toBe('close');
      await large.ended();
    } finally {
      clearInterval(writing);
    }
  });
});
