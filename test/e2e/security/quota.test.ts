import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { head, ScriptedUpstream, type Script } from '../../fakes/scripted-upstream.js';
import { makeBlob } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Mirror } from '../support/mirror.js';
import { until } from '../support/until.js';

const quota = 50_000_000;
const slack = 16 * 1024 * 1024;
const { digest } = makeBlob(1, 'endless');

/** Chunks without end, until the client leaves. */
const endless: Script = [
  head(200, { 'transfer-encoding': 'chunked' }),
  async (peer) => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    while (!peer.signal.aborted) {
      await peer.write('100000\r\n');
      await peer.writeBody(chunk);
      await peer.write('\r\n');
    }
  },
];

async function diskUse(root: string): Promise<number> {
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  const sizes = files.map((file) => stat(join(file.parentPath, file.name)).catch(() => undefined));
  return (await Promise.all(sizes)).reduce((sum, each) => sum + (each?.isFile() === true ? each.size : 0), 0);
}

async function start(upstream: ScriptedUpstream, server: NonNullable<Parameters<typeof Mirror.start>[0]>['server']) {
  return Mirror.start({ upstreams: [{ namespace: 'evil.test', host: upstream.host }], server: server! });
}

it('an endless blob takes no more disk than the quota, passes through to its client, and ends with it', async () => {
  await using evil = await ScriptedUpstream.start();
  evil.on('GET', /blobs/, endless);
  await using mirror = await start(evil, { maxSize: quota });
  const socket = connect(Number(new URL(mirror.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`GET /v2/evil.test/app/blobs/${digest} HTTP/1.1\r\nhost: m\r\n\r\n`);
  let received = 0;
  let most = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  await until('the client has more than the quota', async () => {
    most = Math.max(most, await diskUse(mirror.root));
    return received > quota + 30_000_000;
  });
  socket.destroy();
  await until('the upstream is let go of', () => evil.openSockets === 0);
  console.log(`disk use: ${(most / 1e6).toFixed(1)} MB of ${quota / 1e6} MB`);
  expect(most).toBeLessThanOrEqual(quota + slack);
});

it('an endless blob whose client left after its first byte ends at the quota', async () => {
  await using evil = await ScriptedUpstream.start();
  evil.on('GET', /blobs/, endless);
  await using mirror = await start(evil, { maxSize: quota });
  const socket = connect(Number(new URL(mirror.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`GET /v2/evil.test/app/blobs/${digest} HTTP/1.1\r\nhost: m\r\n\r\n`);
  await once(socket, 'readable');
  socket.destroy();
  let most = 0;
  await until('the upstream is let go of', async () => {
    most = Math.max(most, await diskUse(mirror.root));
    return evil.openSockets === 0;
  });
  console.log(`disk use: ${(most / 1e6).toFixed(1)} MB, received: ${(evil.bodyBytes() / 1e6).toFixed(1)} MB`);
  expect(most).toBeLessThanOrEqual(quota + slack);
  await until('its space is free again', async () => (await diskUse(mirror.root)) < 100_000);
  // The next one has all of it.
  const blob = makeBlob(45_000_000, 'next');
  const next = () => request(`${mirror.url}/v2/evil.test/next/blobs/${blob.digest}`);
  evil.on('GET', /blobs/, [head(200, { 'content-length': blob.body.length }), (peer) => peer.writeBody(blob.body)]);
  expect((await next()).status).toBe(200);
  await mirror.settled();
  expect((await next()).headers['x-cache']).toBe('HIT');
});

it('--max-blob-size: a larger blob is refused, however it is announced', async () => {
  await using evil = await ScriptedUpstream.start();
  const blob = makeBlob(3_000_000, 'large');
  evil.on('GET', /declared.blobs/, [
    head(200, { 'content-length': blob.body.length }),
    (peer) => peer.writeBody(blob.body),
  ]);
  evil.on('GET', /chunked.blobs/, endless);
  await using mirror = await start(evil, { maxBlobSize: 2_000_000 });
  const get = (name: string) => request(`${mirror.url}/v2/evil.test/${name}/blobs/${blob.digest}`);
  expectError(await get('declared'), 502, 'UPSTREAM_ERROR');
  const chunked = await get('chunked');
  expect(chunked.error).toBeDefined();
  expect(chunked.body.length).toBeLessThan(2_000_000);
  await until('the upstream is let go of', () => evil.openSockets === 0);
});
