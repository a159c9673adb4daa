import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { makeImage } from '../fixtures/images.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import type { Bucket } from './support/s3-server.js';
import { S3Mirror } from './support/s3-mirror.js';
import { VersityGateway } from './support/versitygw.js';

const octets = { 'content-type': 'application/octet-stream' };

describe('requests to the bucket', () => {
  let server: VersityGateway;
  let proxy: FaultyProxy;
  let registry: FakeRegistry;
  let bucket: Bucket;
  let mirror: S3Mirror;

  beforeAll(async () => {
    server = await VersityGateway.start();
    proxy = await FaultyProxy.start(server.url);
    registry = await FakeRegistry.start();
    bucket = await server.makeBucket();
    const settings = bucket.settings({ host: proxy.url });
    const options = { allowAnonymousPush: true, defaultNamespace: 'registry.test' };
    mirror = await S3Mirror.start(settings, registry, options, {}, ['local']);
    // The first push to a repository records that it exists.
    const { config } = makeImage({ seed: 'first' });
    await push('POST', `blobs/uploads/?digest=${config.digest}`, config.body);
  });

  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    bucket.close();
    await registry.close();
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  beforeEach(() => void (proxy.requests.length = 0));

  async function push(method: string, path: string, body: Buffer = Buffer.alloc(0), headers: HeadersInit = octets) {
    const url = path.startsWith('/') ? new URL(path, mirror.addressOf('')) : mirror.addressOf(`local/app/${path}`);
    const response = await fetch(url, { method, body: new Uint8Array(body), headers });
    expect(response.status).toBeLessThan(300);
    return response.headers.get('location') ?? '';
  }

  /** What was asked of the bucket since the last call, by kind of object. */
  function taken(): string[] {
    const lines = proxy.requests.splice(0).map((line) => line.replace(/\?.*/, '').replace(`/${bucket.name}/`, ''));
    const kinds: readonly [RegExp, string][] = [
      [/ blobs\/.*/, ' content'],
      [/ uploads\/.*-0*/, ' session '],
      [/ ingest\/.*/, ' bytes'],
      [/ mounts\/.*/, ' mount'],
      [/ repositories\/.*\/_(\w+)s\/.*/, ' $1'],
    ];
    return lines.map((line) => kinds.reduce((text, [from, to]) => text.replace(from, to), line)).sort();
  }

  it('of a layer pushed as Docker does it', async () => {
    const { digest, body } = makeImage({ seed: 'docker' }).layers[0]!;
    const begun = await push('POST', 'blobs/uploads/');
    expect(taken()).toEqual(['PUT session 1']);
    const appended = await push('PATCH', begun, body);
    expect(taken()).toEqual(['HEAD session 1', 'HEAD session 2', 'PUT bytes', 'PUT session 1']);
    await push('PUT', `${appended}&digest=${digest}`);
    expect(taken()).toEqual([
      ...['DELETE bytes', 'DELETE session 1', 'HEAD content', 'HEAD content', 'HEAD content', 'HEAD session 1'],
      ...['HEAD session 2', 'PUT blob', 'PUT content', 'PUT mount', 'PUT session 1'],
    ]);
  });

  it('of a layer pushed as containerd does it', async () => {
    const { digest, body } = makeImage({ seed: 'containerd' }).layers[0]!;
    const begun = await push('POST', 'blobs/uploads/');
    expect(taken()).toEqual(['PUT session 1']);
    await push('PUT', `${begun}${begun.includes('?') ? '&' : '?'}digest=${digest}`, body);
    expect(taken()).toEqual([
      ...['DELETE session 1', 'HEAD content', 'HEAD content', 'HEAD content'],
      ...['PUT blob', 'PUT content', 'PUT mount'],
    ]);
  });

  it('of a manifest and its tag', async () => {
    const image = makeImage({ seed: 'manifest', layers: [1024, 2048, 4096] });
    for (const { digest, body } of [image.config, ...image.layers])
      await push('POST', `blobs/uploads/?digest=${digest}`, body);
    taken();
    const { manifest } = image;
    await push('PUT', 'manifests/1', manifest.body, { 'content-type': manifest.mediaType });
    expect(taken()).toEqual([
      ...['GET blob', 'GET blob', 'GET blob', 'GET blob', 'GET manifest', 'GET manifest', 'GET tag'],
      ...['HEAD content', 'PUT content', 'PUT manifest', 'PUT tag'],
    ]);
  });

  it('include the record of each layer, which another replica may just have deleted', async () => {
    const image = makeImage({ seed: 'deleted', layers: [1024, 2048] });
    for (const { digest, body } of [image.config, ...image.layers])
      await push('POST', `blobs/uploads/?digest=${digest}`, body);
    const [algorithm, hex] = image.layers[1]!.digest.split(':');
    const Key = `repositories/local/app/_blobs/${algorithm}/${hex}`;
    expect(await bucket.paths(Key)).toEqual([Key]);
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key }));
    const { manifest } = image;
    const url = mirror.addressOf('local/app/manifests/deleted');
    const headers = { 'content-type': manifest.mediaType };
    const response = await fetch(url, { method: 'PUT', body: new Uint8Array(manifest.body), headers });
    expect(await response.json()).toMatchObject({ errors: [{ code: 'MANIFEST_BLOB_UNKNOWN' }] });
    for (const reference of ['deleted', manifest.digest]) {
      const left = await fetch(mirror.addressOf(`local/app/manifests/${reference}`));
      await left.body?.cancel();
      expect(left.status).toBe(404);
    }
  });
});
