import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeImage } from '../fixtures/images.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { S3Mirror } from './support/s3-mirror.js';
import { VersityGateway } from './support/versitygw.js';

it('a pull of a hosted tag costs one request to the bucket, and none to an upstream', async () => {
  await using server = await VersityGateway.start();
  await using proxy = await FaultyProxy.start(server.url);
  const registry = await FakeRegistry.start();
  const bucket = await server.makeBucket();
  try {
    const settings = bucket.settings({ host: proxy.url });
    const options = { allowAnonymousPush: true, defaultNamespace: 'registry.test' };
    await using mirror = await S3Mirror.start(settings, registry, options, {}, ['local']);
    const image = makeImage({ seed: 'hosted' });
    const { manifest } = image;
    const send = (method: string, path: string, body: Buffer, type = 'application/octet-stream') =>
      fetch(mirror.addressOf(`local/app/${path}`), {
        method,
        body: new Uint8Array(body),
        headers: { 'content-type': type },
      });
    for (const { digest, body } of [image.config, ...image.layers])
      expect((await send('POST', `blobs/uploads/?digest=${digest}`, body)).status).toBe(201);
    expect((await send('PUT', 'manifests/1', manifest.body, manifest.mediaType)).status).toBe(201);
    const url = mirror.addressOf('local/app/manifests/1');
    // Loads the manifest into memory, and records the use behind the response.
    expect((await request(url)).body.equals(manifest.body)).toBe(true);
    await whenQuiet(proxy);

    for (const method of ['GET', 'HEAD', 'GET']) {
      proxy.requests.length = 0;
      const pulled = await request(url, { method });
      expect([pulled.status, pulled.headers['docker-content-digest']]).toEqual([200, manifest.digest]);
      expect(proxy.requests.map((line) => line.replace(/\?.*/, ''))).toEqual([
        `GET /${bucket.name}/repositories/local/app/_tags/1`,
      ]);
    }
    expect((await request(mirror.addressOf('local/app/manifests/unknown'))).status).toBe(404);
    expect(registry.requests).toEqual([]);
  } finally {
    bucket.close();
    await registry.close();
  }
});

/** Waits until half a second passes without a request. */
async function whenQuiet({ requests }: FaultyProxy): Promise<void> {
  for (let before = -1; before !== requests.length;) {
    before = requests.length;
    await delay(500);
  }
}
