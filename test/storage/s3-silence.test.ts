import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { sample } from '../../src/storage/testing/content.js';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';
import { bucketEnv } from './support/shared-bucket.js';
import { VersityGateway } from './support/versitygw.js';

/** Milliseconds: silence that is noticed, with what a slow machine adds; the longest deadline of a probe, exceeded. */
const [notice, probes] = [4_000, 8_000];
const unavailable = /^the storage has been failing for \d+ s \(no response\)$/;

let server: VersityGateway;
let bucket: Bucket;
let proxy: FaultyProxy;
let registry: FakeRegistry;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
}, 180_000);
beforeEach(async () => {
  bucket = await server.makeBucket();
  proxy = await FaultyProxy.start(server.url);
  registry = await FakeRegistry.start();
});
afterEach(async () => {
  bucket.close();
  await proxy[Symbol.asyncDispose]();
  await registry.close();
});
afterAll(() => server[Symbol.asyncDispose]());

async function timed<T>(action: () => Promise<T>): Promise<{ readonly value: T; readonly took: number }> {
  const from = performance.now();
  return { value: await action(), took: performance.now() - from };
}

const silences: Record<string, (line: string) => Fate> = {
  'takes requests and says nothing': () => 'hang',
  'sends headers without end': () => 'drip',
  'sends headers and no content': (line) => (line.startsWith('GET') ? 'stall' : 'hang'),
};

describe('a bucket that hangs', () => {
  const layers = Array.from({ length: 4 }, (_, index) => makeBlob(100_000, `layer ${index}`));
  beforeEach(() => {
    for (const layer of layers) registry.addBlob('app', layer);
  });

  it.each(Object.entries(silences))('and %s: 503 that blames it, for as long as it does', async (_, fate) => {
    await using mirror = await S3Mirror.start(bucket.settings({ host: proxy.url }), registry);
    const pull = () => request(mirror.urlOf(`app/blobs/${layers[0]!.digest}`));
    expect((await pull()).status).toBe(200);
    await mirror.idle();
    expect((await pull()).headers['x-cache']).toBe('HIT');

    proxy.fate = fate;
    const first = await timed(pull);
    expect(first.value).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(first.took).toBeLessThan(notice);
    const end = performance.now() + probes;
    while (performance.now() < end) {
      const { status, body } = await pull();
      const { errors } = JSON.parse(body.toString()) as { errors: { code: string; message: string }[] };
      expect([status, errors]).toEqual([
        503,
        [{ code: 'UNAVAILABLE', message: expect.stringMatching(unavailable) as string }],
      ]);
      await sleep(100);
    }
    expect(mirror.log.match(/the bucket is unavailable/g)).toHaveLength(1);
    expect(mirror.log).not.toContain('the bucket is available again');

    proxy.fate = () => 'pass';
    const back = performance.now();
    while ((await pull()).status !== 200) await sleep(100);
    expect(performance.now() - back).toBeLessThan(2 * probes);
  });

  it('does so at every path, and at none that needs no bucket', async () => {
    const image = makeImage();
    registry.addImage('app', image, ['stable']);
    await using mirror = await S3Mirror.start(bucket.settings({ host: proxy.url }), registry);
    const origin = mirror.urlOf('').replace(/\/v2\/.*/, '');
    expect((await request(mirror.urlOf('app/manifests/stable'))).status).toBe(200);
    await mirror.idle();

    proxy.fate = () => 'hang';
    const digest = layers[1]!.digest;
    const needing = ['manifests/other', `manifests/${digest}`, `blobs/${digest}`, 'tags/list', `referrers/${digest}`];
    const replies = await Promise.all(needing.map((path) => timed(() => request(mirror.urlOf(`app/${path}`)))));
    for (const [index, { value, took }] of replies.entries()) {
      expect([needing[index], value.status, value.headers['retry-after']]).toEqual([needing[index], 503, '5']);
      expect(value.body.toString()).toContain('the storage has been failing');
      expect(took).toBeLessThan(notice);
    }
    const ready = await timed(() => request(`${origin}/readyz`));
    expect(ready.value.status).toBe(503);
    expect(ready.value.body.toString()).toContain('no response');
    expect(ready.took).toBeLessThan(notice);
    for (const path of ['/healthz', '/metrics', '/v2/', '/']) {
      const { value, took } = await timed(() => request(`${origin}${path}`));
      expect([path, value.status]).toEqual([path, 200]);
      expect(took).toBeLessThan(notice);
    }
    proxy.fate = () => 'pass';
  });

  it('fails leases, sweeps and records as soon', async () => {
    const provider = new S3Provider(bucket.settings({ host: proxy.url }), { maxProbeDelay: 1_000 });
    await provider.initialize();
    await provider.write('blobs/one', sample(10));
    const operations: Record<string, () => Promise<unknown>> = {
      read: () => provider.read('blobs/one', 10),
      write: () => provider.write('blobs/two', sample(1)),
      create: () => provider.create('leases/one', sample(1)),
      move: () => provider.move('blobs/one', 'blobs/two'),
      touch: () => provider.touch('blobs/one'),
      open: () => provider.open('blobs/one'),
      stat: () => provider.stat('blobs/one'),
      delete: () => provider.delete('blobs/one'),
      list: () => provider.list('blobs')[Symbol.asyncIterator]().next(),
      sweep: () => provider.sweepIngests(0),
    };
    try {
      for (const [name, operation] of Object.entries(operations)) {
        proxy.fate = () => 'hang';
        const { value, took } = await timed(() => operation().catch((error: unknown) => error));
        expect([name, value]).toEqual([name, expect.objectContaining({ name: 'StorageError', kind: 'failed' })]);
        expect([name, (value as Error).message]).toEqual([name, expect.stringMatching(unavailable)]);
        expect(took).toBeLessThan(notice);
      }
      // The first of them waited for two seconds, the others for nothing: only the bucket closes the circuit.
      proxy.fate = () => 'pass';
      await until(
        'the bucket is used again',
        () =>
          provider.stat('blobs/one').then(
            () => true,
            () => false,
          ),
        20_000,
      );
    } finally {
      await provider.close();
    }
  });

  it('does not disturb a download that has begun', async () => {
    const layer = makeBlob(400_000, 'slow');
    registry.addBlob('app', layer);
    registry.behaviour.bytesPerSecond = 100_000;
    await using mirror = await S3Mirror.start(bucket.settings({ host: proxy.url }), registry);
    const pulling = request(mirror.urlOf(`app/blobs/${layer.digest}`));
    await sleep(1_000);
    proxy.fate = () => 'hang';
    const { status, body } = await pulling;
    expect([status, body.equals(layer.body)]).toEqual([200, true]);
    proxy.fate = () => 'pass';
  });
});

describe('a bucket that is silent in part', () => {
  const tuning = { idleTimeout: 1_000, requestTimeout: 4_000, retryDelay: 20, probeDelay: 100, maxProbeDelay: 100 };
  const failed = { name: 'StorageError', kind: 'failed' };

  async function withProvider(body: (provider: S3Provider) => Promise<void>): Promise<void> {
    const provider = new S3Provider(bucket.settings({ host: proxy.url }), { ...tuning, silence: 500 });
    await provider.initialize();
    try {
      await provider.write('blobs/one', sample(100_000));
      await body(provider);
    } finally {
      await provider.close();
    }
  }

  it('fails reads of content before any response is late while it responds to all else', () =>
    withProvider(async (provider) => {
      proxy.fate = (line) => (line.startsWith('GET') ? 'stall' : 'pass');
      const { took } = await timed(() => expect(provider.read('blobs/one', 100_000)).rejects.toMatchObject(failed));
      expect(took).toBeLessThan(6_000);
    }));

  it('keeps the circuit closed while it responds to other requests, however slow one is', () =>
    withProvider(async (provider) => {
      proxy.fate = (line) => (line.includes('list-type') ? 'hang' : 'pass');
      const listing = (async () => {
        for await (const entry of provider.list('blobs')) expect(entry.key).toBe('blobs/one');
      })();
      const settled = listing.catch((error: unknown) => error);
      for (let round = 0; round < 30; round += 1) {
        expect((await provider.stat('blobs/one')).size).toBe(100_000);
        await sleep(100);
      }
      expect(await settled).toMatchObject(failed);
    }));

  it('is asked by a probe before it is taken for silent', () =>
    withProvider(async (provider) => {
      proxy.requests.length = 0;
      proxy.fate = (line) => (line.includes('list-type') ? 'hang' : 'pass');
      const listing = provider.list('blobs')[Symbol.asyncIterator]();
      await expect(listing.next()).rejects.toMatchObject({
        message: expect.not.stringContaining('no response') as string,
      });
      expect(proxy.count(/^HEAD .*health\/probe/)).toBeGreaterThan(0);
      expect((await provider.stat('blobs/one')).size).toBe(100_000);
    }));
});

describe('a server that accepts connections and nothing more', () => {
  it.each(['http', 'https'])('is named at the start, over %s', async (scheme) => {
    const sockets = new Set<net.Socket>();
    const silent = net.createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const host = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      const provider = new S3Provider(bucket.settings({ host: `${scheme}://${host}` }), { requestTimeout: 1_000 });
      const { took } = await timed(() =>
        expect(provider.initialize()).rejects.toThrow(
          `cannot list the bucket ${bucket.name}: ${host} did not respond within 1 s`,
        ),
      );
      expect(took).toBeLessThan(notice);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});

describe('a program whose bucket hangs', () => {
  it('ends soon after its drain timeout, whatever waits to be stored', { timeout: 90_000 }, async () => {
    await using folder = await Folder.make();
    const layer = makeBlob(100_000, 'last');
    registry.addBlob('app', layer);
    await writeFile(folder.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
    const args = ['--listen', '127.0.0.1:0', '--drain-timeout', '1s', '--upstream-config-file', 'u.yaml', 's3'];
    const env = { ...bucketEnv(bucket), S3_HOST: proxy.url };
    await using program = await Program.start(args, { cwd: folder.path, env });
    proxy.fate = (line) => (line.startsWith('PUT') ? 'hang' : 'pass');
    expect((await request(`${program.url}/v2/registry.test/app/blobs/${layer.digest}`)).status).toBe(200);
    const { took } = await timed(async () => {
      program.kill('SIGTERM');
      await program.end;
    });
    // A request has 20 s, what has been received 5 s, and transfers 1 s.
    expect(took).toBeLessThan(40_000);
  });
});
