import { readFile } from 'node:fs/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { build, Program } from '../e2e/support/program.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { S3Mirror } from './support/s3-mirror.js';
import { accessKey, secretKey, type Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

const mebibyte = 1024 * 1024;
let server: VersityGateway;
let bucket: Bucket;
let registry: FakeRegistry;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
}, 180_000);
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  bucket = await server.makeBucket();
  registry = await FakeRegistry.start();
});
afterEach(async () => {
  expect(await bucket.unfinished()).toEqual([]);
  bucket.close();
  await registry.close();
});

const contentPath = (digest: string) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}`;

describe('a mirror on a bucket', () => {
  it('serves what it has pulled after a restart, while the upstream is down', async () => {
    const image = makeImage({ seed: 's3' });
    const layer = makeBlob(20 * mebibyte, 'large layer');
    registry.addImage('app', image, ['1.0']);
    registry.addBlob('app', layer);
    const pull = async (mirror: S3Mirror, cache: string[]) => {
      const tag = await request(mirror.urlOf('app/manifests/1.0'));
      expect([tag.status, tag.body.equals(image.manifest.body)]).toEqual([200, true]);
      const blob = await request(mirror.urlOf(`app/blobs/${layer.digest}`));
      expect([blob.status, blob.body.equals(layer.body)]).toEqual([200, true]);
      expect(cache).toContain(blob.headers['x-cache']);
    };
    {
      await using mirror = await S3Mirror.start(bucket.settings(), registry);
      await pull(mirror, ['MISS']);
    }
    await registry.stop();
    await using mirror = await S3Mirror.start(bucket.settings(), registry);
    await pull(mirror, ['HIT']);
    const part = await request(mirror.urlOf(`app/blobs/${layer.digest}`), {
      headers: { range: 'bytes=9000000-9000099' },
    });
    expect([part.status, part.body.equals(layer.body.subarray(9_000_000, 9_000_100))]).toEqual([206, true]);
  });

  it('replaces damaged content by what the upstream has', async () => {
    const layer = makeBlob(9 * mebibyte, 'damaged layer');
    registry.addBlob('app', layer);
    await using mirror = await S3Mirror.start(bucket.settings(), registry);
    await request(mirror.urlOf(`app/blobs/${layer.digest}`));
    await mirror.idle();
    const Key = contentPath(layer.digest);
    await bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: layer.body.subarray(1) }));
    const again = await request(mirror.urlOf(`app/blobs/${layer.digest}`));
    expect([again.status, again.body.equals(layer.body)]).toEqual([200, true]);
    await mirror.idle();
    await registry.stop();
    const stored = await request(mirror.urlOf(`app/blobs/${layer.digest}`));
    expect([stored.status, stored.headers['x-cache'], stored.body.equals(layer.body)]).toEqual([200, 'HIT', true]);
  });

  it('keeps what a client begins and leaves', async () => {
    const layer = makeBlob(30 * mebibyte, 'left layer');
    registry.addBlob('app', layer);
    await using mirror = await S3Mirror.start(bucket.settings(), registry);
    const leave = AbortSignal.timeout(60);
    const left = await request(mirror.urlOf(`app/blobs/${layer.digest}`), { signal: leave }).catch(() => undefined);
    expect(left?.body.length ?? 0).toBeLessThan(layer.body.length);
    await until('the layer is stored', async () => (await bucket.paths('blobs/')).includes(contentPath(layer.digest)));
    await mirror.idle();
    await registry.stop();
    const stored = await request(mirror.urlOf(`app/blobs/${layer.digest}`));
    expect([stored.status, stored.body.equals(layer.body)]).toEqual([200, true]);
  });
});

describe('--s3-redirect', () => {
  it('answers GET of a stored blob with a URL of the bucket, and everything else itself', async () => {
    const [layer, small] = [makeBlob(200_000, 'layer'), makeBlob(1_000, 'configuration')];
    registry.addBlob('app', layer);
    registry.addBlob('app', small);
    await using mirror = await S3Mirror.start(bucket.settings({ redirect: true }), registry);
    const url = mirror.urlOf(`app/blobs/${layer.digest}`);
    const cold = await request(url);
    expect([cold.status, cold.body.equals(layer.body)]).toEqual([200, true]);
    await request(mirror.urlOf(`app/blobs/${small.digest}`));
    await mirror.idle();

    const warm = await request(url);
    expect(warm).toMatchObject({
      status: 307,
      headers: { 'cache-control': 'no-store', 'content-length': '0', 'docker-content-digest': layer.digest },
    });
    expect(warm.headers.location?.startsWith(`${bucket.host}/${bucket.name}/${contentPath(layer.digest)}?`)).toBe(true);
    const followed = await request(warm.headers.location!);
    expect([followed.status, followed.body.equals(layer.body)]).toEqual([200, true]);
    const part = await fetch(url, { headers: { range: 'bytes=100-199' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(layer.body.subarray(100, 200))).toBe(true);

    expect(await request(url, { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '200000' },
    });
    expect(await request(url, { headers: { 'if-none-match': `"${layer.digest}"` } })).toMatchObject({ status: 304 });
    const configuration = await request(mirror.urlOf(`app/blobs/${small.digest}`));
    expect([configuration.status, configuration.body.equals(small.body)]).toEqual([200, true]);
    expect(mirror.log).not.toContain('X-Amz-Signature');
  });

  it('fetches a blob again that has gone from the bucket, or is another', async () => {
    const layer = makeBlob(200_000, 'layer');
    registry.addBlob('app', layer);
    await using mirror = await S3Mirror.start(bucket.settings({ redirect: true }), registry);
    const url = mirror.urlOf(`app/blobs/${layer.digest}`);
    await request(url);
    await mirror.idle();
    const Key = contentPath(layer.digest);
    await bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: 'damaged' }));
    const again = await request(url);
    expect([again.status, again.body.equals(layer.body)]).toEqual([200, true]);
  });
});

describe('sixteen cold pulls of 64 MB at one time', () => {
  it('take little memory, and all of it is stored', { timeout: 180_000 }, async (context) => {
    const layers = Array.from({ length: 16 }, (_, index) => makeBlob(64_000_000, `layer ${index}`));
    for (const layer of layers) registry.addBlob('app', layer);
    const env = {
      S3_HOST: server.url,
      S3_BUCKET: bucket.name,
      S3_ACCESS_KEY: accessKey,
      S3_SECRET_KEY: secretKey,
      UPSTREAM_CONFIG_FILE: '',
    };
    const { Folder } = await import('../e2e/support/folder.js');
    await using folder = await Folder.make();
    const { writeFile } = await import('node:fs/promises');
    await writeFile(
      folder.file('upstreams.yaml'),
      `- {namespace: registry.test, host: "${registry.host}", tls: false}\n`,
    );
    env.UPSTREAM_CONFIG_FILE = folder.file('upstreams.yaml');
    await using program = await Program.start(['--listen', '127.0.0.1:0', 's3'], { env });
    const pulls = layers.map(async ({ digest, body }) => {
      const response = await request(`${program.url}/v2/registry.test/app/blobs/${digest}`);
      expect([response.status, response.body.equals(body)]).toEqual([200, true]);
    });
    await Promise.all(pulls);
    const isStored = async () => (await bucket.paths('blobs/')).length === layers.length;
    await until('everything is stored', isStored, 60_000);
    const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024;
    await context.annotate(`peak memory ${peak.toFixed(0)} MiB`);
    console.log(`16 cold pulls of 64 MB: peak memory ${peak.toFixed(0)} MiB`);
    expect(peak).toBeLessThan(400);
  });
});
