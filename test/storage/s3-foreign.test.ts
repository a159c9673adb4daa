import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { ScrubService } from '../../src/registry/eviction/scrub.service.js';
import { SweepService } from '../../src/registry/eviction/sweep.service.js';
import { UsageService } from '../../src/registry/eviction/usage.service.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeImage } from '../fixtures/images.js';
import { Moto } from './support/moto.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

const day = 86_400_000;
const hex = 'ab'.repeat(32);
/** Names that XML, URLs or a file system might mangle, beside and among those of the mirror, and some that look like them. */
const foreign = [
  'notes.txt',
  'with space',
  'plus+and%2Bpercent%',
  'ünï/cödé ☃',
  'a&b<c>"d\'e',
  'blobs/readme',
  'blobs/sha256/with space',
  'blobs/sha256/ab/a+b%2fc',
  `blobs/sha256/AB/${hex}`,
  `blobs/sha256/ab/${hex.toUpperCase()}`,
  `blobs/sha256/ab/${hex}.tmp`,
  `blobs/sha256/ab/${hex.slice(2)}`,
  `blobs/sha256/cd/${hex}`,
  'blobs/docker.io/library/busybox/sha256:0',
  'repositories/registry.test/app/_tags/☃',
  'repositories/registry.test/app/_blobs/sha256/short',
  'repositories/Registry.test/app/_tags/latest',
  'damaged/☃',
  'leases/sha256/ab/not a lease',
  'used/foreign',
  'ingest/0123',
];

const image = makeImage({ seed: 'among others', layers: [100, 200_000] });
const unused = makeImage({ seed: 'unused', layers: [300] });
const partsOf = ({ manifest, config, layers }: typeof image) => [manifest, config, ...layers];

describe.each([
  ['versitygw', () => VersityGateway.start()],
  ['moto', () => Moto.start()],
] as const)('foreign objects among those of the mirror, on %s', (_, start) => {
  let server: VersityGateway | Moto;
  let bucket: Bucket;
  let registry: FakeRegistry;

  beforeAll(async () => {
    server = await start();
  });
  beforeEach(async () => {
    bucket = await server.makeBucket();
    registry = await FakeRegistry.start();
    registry.addImage('app', image, ['1.0']);
    registry.addImage('app', unused, ['unused']);
    for (const path of foreign) {
      const target = { Bucket: bucket.name, Key: `mirror/${path}`, Body: `foreign ${path}` };
      await bucket.client.send(new PutObjectCommand(target));
    }
  });
  afterEach(async () => {
    for (const path of foreign) {
      const { Body } = await bucket.client.send(new GetObjectCommand({ Bucket: bucket.name, Key: `mirror/${path}` }));
      expect([path, await Body!.transformToString()]).toEqual([path, `foreign ${path}`]);
    }
    bucket.close();
    await registry.close();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function pull(mirror: S3Mirror, { manifest, config, layers }: typeof image, tag: string): Promise<void> {
    const paths = [`manifests/${tag}`, ...[config, ...layers].map(({ digest }) => `blobs/${digest}`)];
    paths.push(`manifests/${manifest.digest}`);
    for (const path of paths) expect([path, (await request(mirror.urlOf(`app/${path}`))).status]).toEqual([path, 200]);
    await mirror.idle();
  }

  it('are served to nobody, and never swept, scrubbed, moved or counted', async () => {
    const settings = bucket.settings({ prefix: 'mirror' });
    await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0, maxSize: 4096 * 1024 });
    await pull(mirror, image, '1.0');
    await pull(mirror, unused, 'unused');
    const [sweeper, scrubber] = [mirror.app.get(SweepService), mirror.app.get(ScrubService)];
    expect(await sweeper.run()).toMatchObject({ failed: 0, objects: [...partsOf(image), ...partsOf(unused)].length });
    expect(await scrubber.run()).toMatchObject({ damaged: 0 });
    expect(await mirror.app.get(UsageService).usage()).toMatchObject({ damaged: 0 });
    expect((await request(mirror.urlOf(`app/blobs/sha256:${hex}`))).status).toBe(404);
    await pull(mirror, image, '1.0');
    // Each piece once, and once in vain what only a foreign object has.
    expect(registry.count({ kind: 'blob', method: 'GET' })).toBe([image, unused].flatMap(partsOf).length - 1);
    const provider = new S3Provider(settings);
    expect(await provider.sweepIngests(0)).toBe(0);
    await provider.close();
  });

  it('stay when everything of the mirror is too old', async () => {
    const settings = bucket.settings({ prefix: 'mirror' });
    {
      await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0 });
      await pull(mirror, image, '1.0');
    }
    if (!(server instanceof VersityGateway)) return;
    await server.age(bucket, 900 * day);
    const before = (await bucket.paths('mirror/')).length;
    await using mirror = await S3Mirror.start(settings, registry, { sweepInterval: 0 }, { unusedContentTtl: day });
    expect(await mirror.app.get(SweepService).run()).toMatchObject({ objects: 0, failed: 0 });
    expect((await bucket.paths('mirror/')).length).toBeLessThan(before);
  });
});
