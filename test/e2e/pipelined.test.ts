import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeBlob } from '../fixtures/images.js';
import { Gate } from './support/gate.js';
import { heldBlob } from './support/held-blob.js';
import { Mirror } from './support/mirror.js';
import { Stage } from './support/stage.js';
import { until } from './support/until.js';

const get = (target: string, more = '', version = '1.1') => `GET ${target} HTTP/${version}\r\nhost: m\r\n${more}\r\n`;
const last = 'connection: close\r\n';

/** Sends bytes, with pauses in milliseconds. @returns status codes, and all that was received until the end */
async function say(url: string, parts: readonly (string | number)[]): Promise<{ statuses: string; text: string }> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = once(socket, 'end');
  for (const part of parts) {
    if (typeof part === 'number') await sleep(part);
    else socket.write(part);
  }
  await end;
  socket.destroy();
  const text = Buffer.concat(chunks).toString('latin1');
  return { statuses: [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status).join(' '), text };
}

describe('what cannot be parsed', () => {
  it.each([
    ['alone', ['XX YY\r\n\r\n'], '400'],
    ['behind a request', [`${get('/v2/')}XX YY\r\n\r\n`], '200 400'],
    ['behind several', [`${get('/v2/')}${get('/healthz').repeat(3)}XX YY\r\n\r\n`], '200 200 200 200 400'],
    ['in a later packet', [get('/metrics').repeat(20), 1, 'XX YY\r\n\r\n'], `${'200 '.repeat(20)}400`],
    ['in many', [get('/metrics').repeat(20), 1, 'XX YY\r\n\r\n', 1, 'YY', 1, 'ZZ'], `${'200 '.repeat(20)}400`],
    ['behind the last request', [`${get('/v2/', last)}XX YY\r\n\r\n`], '200'],
    ['behind several, the last among them', [`${get('/v2/')}${get('/v2/', last)}XX YY\r\n\r\n`], '200 200'],
    ['behind a request of HTTP/1.0', [`${get('/v2/', '', '1.0')}XX YY\r\n\r\n`], '200'],
    ['a long header', [`${get('/v2/')}${get('/v2/', `x: ${'x'.repeat(20_000)}\r\n`)}`], '200 431'],
    ['a body in chunks', [`${get('/v2/', 'transfer-encoding: chunked\r\n')}zz\r\n`], '400'],
    ['a body in chunks, too late', [get('/v2/', 'transfer-encoding: chunked\r\n'), 100, 'zz\r\n'], '200'],
    ['a body behind a request', [`${get('/v2/')}${get('/v2/', 'transfer-encoding: chunked\r\n')}zz\r\n`], '200 400'],
  ])('has its refusal after the responses before: %s', async (_, parts, statuses) => {
    await using mirror = await Mirror.start();
    expect((await say(mirror.url, parts)).statuses).toBe(statuses);
  });

  it.each([
    ['a request', get('/v2/')],
    ['two requests', get('/v2/').repeat(2)],
    ['a request of HTTP/1.0', get('/v2/', '', '1.0')],
  ])('is not read behind the last request of a connection: %s', async (_, more) => {
    await using mirror = await Mirror.start();
    expect((await say(mirror.url, [get('/healthz', last) + more])).statuses).toBe('200');
    expect((await say(mirror.url, [get('/healthz', last), 0, more])).statuses).toBe('200');
    expect((await say(mirror.url, [get('/healthz', '', '1.0') + more])).statuses).toBe('200');
  });

  it('does not come into a body that is being sent', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'whole');
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const said = say(stage.mirror.url, [
      get(`/v2/registry.test/app/blobs/${blob.digest}`),
      200,
      'XX YY\r\n\r\n',
      200,
      'ZZ',
    ]);
    await sleep(600);
    gate.open();
    const { statuses, text } = await said;
    expect(statuses).toBe('200 400');
    const start = text.indexOf('\r\n\r\n') + 4;
    expect(text.slice(start, start + blob.body.length) === blob.body.toString('latin1')).toBe(true);
  });

  it('does not come into a body, when it is late', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'late');
    // Checked every two seconds.
    stage.mirror.app.getHttpServer().headersTimeout = 100;
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const request = get(`/v2/registry.test/app/blobs/${blob.digest}`);
    const late = say(stage.mirror.url, [`${request}GET /v2/ HTTP/1.1\r\n`]);
    const inTime = say(stage.mirror.url, [`${request}GET /v2/ HTTP/1.1\r\n`, 2_300, `host: m\r\n${last}\r\n`]);
    await sleep(2_500);
    gate.open();
    for (const [said, statuses] of [
      [late, '200 408'],
      [inTime, '200 200'],
    ] as const) {
      const { text, ...rest } = await said;
      expect(rest.statuses).toBe(statuses);
      const start = text.indexOf('\r\n\r\n') + 4;
      expect(text.slice(start, start + blob.body.length) === blob.body.toString('latin1')).toBe(true);
    }
  });
});

describe('CONNECT', () => {
  const connectTo = 'CONNECT registry-1.docker.io:443 HTTP/1.1\r\nhost: registry-1.docker.io:443\r\n\r\n';

  it('is refused with a hint for those who take the mirror for a proxy', async () => {
    await using mirror = await Mirror.start();
    const { statuses, text } = await say(mirror.url, [connectTo]);
    expect(statuses).toBe('405');
    expect(text).toContain('not a proxy');
    expect((await say(mirror.url, [get('/v2/') + connectTo + get('/v2/')])).statuses).toBe('200 405');
    expect((await say(mirror.url, [get('/v2/', last) + connectTo])).statuses).toBe('200');
  });

  it('ends with its client', async () => {
    await using mirror = await Mirror.start();
    const socket = connect(Number(new URL(mirror.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(connectTo);
    socket.resetAndDestroy();
    const connections = () =>
      new Promise<number>((resolve) => mirror.app.getHttpServer().getConnections((_, count) => resolve(count)));
    await until('it is gone', async () => (await connections()) === 0);
  });
});
