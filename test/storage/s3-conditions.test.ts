import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { Moto } from './support/moto.js';
import { S3Mirror } from './support/s3-mirror.js';
import type { Bucket } from './support/s3-server.js';

let server: Moto;
let proxy: FaultyProxy;
let bucket: Bucket;

beforeAll(async () => {
  server = await Moto.start();
  bucket = await server.makeBucket();
  proxy = await FaultyProxy.start(server.url);
  // The server checks no signatures, so it does not miss what was signed.
  proxy.withheld = ['if-none-match', 'if-match'];
});
afterAll(async () => {
  bucket.close();
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

describe('a server that takes conditional writes and ignores their conditions', () => {
  it('is found out at start, as one that obeys them is', async () => {
    for (const [host, isExclusive] of [
      [proxy.url, false],
      [server.url, true],
    ] as const) {
      const provider = new S3Provider(bucket.settings({ host }));
      await provider.initialize();
      expect(provider.isExclusive).toBe(isExclusive);
      await provider.close();
    }
  });

  it('gets no leases from replicas, which each download for themselves and say so once', async () => {
    const registry = await FakeRegistry.start();
    const layer = makeBlob(9_000_000, 'pulled twice');
    const image = makeImage({ seed: 'without leases' });
    registry.addBlob('app', layer);
    registry.addImage('app', image, ['1.0']);
    try {
      const start = (advertiseUrl: string) =>
        S3Mirror.start(bucket.settings({ host: proxy.url }), registry, { advertiseUrl });
      proxy.requests.length = 0;
      await using one = await start('http://127.0.0.1:1');
      await using other = await start('http://127.0.0.1:2');
      const pull = async (mirror: S3Mirror) => {
        const tag = await request(mirror.urlOf('app/manifests/1.0'));
        expect([tag.status, tag.body.equals(image.manifest.body)]).toEqual([200, true]);
        const blob = await request(mirror.urlOf(`app/blobs/${layer.digest}`));
        expect([blob.status, blob.body.equals(layer.body)]).toEqual([200, true]);
      };
      await Promise.all([one, other, one, other].map(pull));
      await Promise.all([one.idle(), other.idle()]);
      expect(registry.count({ kind: 'blob', method: 'GET' })).toBe(2);
      expect(proxy.count(/leases\//)).toBe(0);
      for (const { log } of [one, other]) expect(log.split('the storage ignores conditional writes')).toHaveLength(2);
      await registry.stop();
      await pull(one);
    } finally {
      await registry.close();
    }
  });
});
