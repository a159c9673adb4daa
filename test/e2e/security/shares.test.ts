import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { bytes, content, head, ScriptedUpstream, silence, wait, type Script } from '../../fakes/scripted-upstream.js';
import { makeBlob } from '../../fixtures/images.js';
import { Mirror } from '../support/mirror.js';
import { until } from '../support/until.js';

const digestOf = (index: number) => `sha256:${index.toString(16).padStart(64, '0')}`;

/** 1 MiB is promised, and a byte sent every 15 s. */
const drip: Script = [
  head(200, { 'content-length': 1024 * 1024 }),
  ...Array.from({ length: 20 }, () => [bytes(Buffer.from('x')), wait(15_000)]).flat(),
];

/** Requests a blob, and leaves as soon as the response has begun unless it is to stay. */
async function pull(url: string, path: string, stays = false): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`GET /v2/${path} HTTP/1.1\r\nhost: m\r\n\r\n`);
  await once(socket, 'readable');
  if (!stays) socket.destroy();
  return () => socket.destroy();
}

it.each([
  ['64 downloads that drip', drip],
  ['64 downloads that say nothing', [silence()] as Script],
])(
  '%s and nobody follows cost a blob of another registry no more than 2 s',
  { timeout: 60_000 },
  async (name, script) => {
    await using evil = await ScriptedUpstream.start();
    await using good = await ScriptedUpstream.start();
    evil.on('GET', /blobs/, script);
    const blob = makeBlob(1024 * 1024, 'good');
    good.on('GET', /blobs/, content(blob.body));
    await using mirror = await Mirror.start({
      upstreams: [
        { namespace: 'good.test', host: good.host },
        { namespace: 'evil.test', host: evil.host, maxConnections: 200 },
      ],
    });
    const pulls = Array.from({ length: 80 }, (_, index) => pull(mirror.url, `evil.test/app/blobs/${digestOf(index)}`));
    void Promise.allSettled(pulls);
    await until('they hold every slot', () => evil.count() >= 64);
    if (name.includes('drip')) await until('their clients have left', () => evil.bodyBytes() >= 64);
    await sleep(1_500);
    const start = performance.now();
    const reply = await request(`${mirror.url}/v2/good.test/app/blobs/${blob.digest}`);
    const took = performance.now() - start;
    console.log(`a cold blob beside ${name}: ${took.toFixed(0)} ms`);
    expect([reply.status, reply.body.equals(blob.body)]).toEqual([200, true]);
    expect(took).toBeLessThan(2_000);
    await evil.kill();
  },
);

it('a download without clients goes on while nothing waits, however slow it is', { timeout: 30_000 }, async () => {
  await using evil = await ScriptedUpstream.start();
  evil.on('GET', /blobs/, drip);
  await using mirror = await Mirror.start({
    upstreams: [{ namespace: 'evil.test', host: evil.host }],
    server: { maxDownloads: 2 },
  });
  await pull(mirror.url, `evil.test/app/blobs/${digestOf(1)}`);
  await sleep(4_000);
  expect(evil.openSockets).toBe(1);
  await evil.kill();
});

it(
  'downloads that drip and nobody follows hold no connection that another repository waits for',
  { timeout: 30_000 },
  async () => {
    await using evil = await ScriptedUpstream.start();
    const blob = makeBlob(1024 * 1024, 'wanted');
    evil.on('GET', /dripping.blobs/, drip);
    evil.on('GET', /wanted.blobs/, content(blob.body));
    await using mirror = await Mirror.start({
      upstreams: [{ namespace: 'evil.test', host: evil.host, maxConnections: 20 }],
    });
    for (let index = 0; index < 12; index += 1)
      await pull(mirror.url, `evil.test/dripping/blobs/${digestOf(index)}`).catch(() => undefined);
    const start = performance.now();
    const reply = await request(`${mirror.url}/v2/evil.test/wanted/blobs/${blob.digest}`);
    const took = performance.now() - start;
    console.log(`a blob of another repository: ${took.toFixed(0)} ms`);
    expect([reply.status, took < 3_000]).toEqual([200, true]);
    await evil.kill();
  },
);
