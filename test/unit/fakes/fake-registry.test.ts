import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { request } from '../../fakes/request.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { acceptEverything, makeArtifact, makeImage, makeIndex } from '../../fixtures/images.js';

const image = makeImage({ layers: [200_000] });
const layer = image.layers[0]!;
const index = makeIndex([{ image, platform: { os: 'linux', architecture: 'amd64' } }]);
const artifact = makeArtifact(index, { artifactType: 'application/vnd.example.sbom' });
const accept = { accept: acceptEverything };

let registry: FakeRegistry;
let blob: string;
let manifest: string;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  registry.addImage('library/box', index, ['latest', 'v1', 'v2']);
  registry.addImage('library/box', artifact);
  blob = `${registry.url}/v2/library/box/blobs/${layer.digest}`;
  manifest = `${registry.url}/v2/library/box/manifests/latest`;
});

afterEach(async () => {
  expect(registry.failures).toEqual([]);
  await registry.close();
  expect(registry.openSockets).toBe(0);
});

describe('FakeRegistry content', () => {
  it('serves manifests by tag and digest, and records what it was asked', async () => {
    const byTag = await request(manifest, { headers: accept });
    expect(byTag).toMatchObject({ status: 200, body: index.manifest.body });
    expect(byTag.headers).toMatchObject({
      'content-type': index.manifest.mediaType,
      'docker-content-digest': index.manifest.digest,
    });
    const child = `${registry.url}/v2/library/box/manifests/${image.manifest.digest}`;
    const head = await request(child, { method: 'HEAD', headers: accept });
    expect(head.headers['content-length']).toBe(String(image.manifest.body.length));
    expect(head.body).toHaveLength(0);
    expect(registry.count({ kind: 'manifest', method: 'GET', repository: 'library/box', reference: 'latest' })).toBe(1);
    expect(registry.requests).toMatchObject([
      { method: 'GET', status: 200, bodyBytes: index.manifest.body.length },
      { method: 'HEAD', status: 200, bodyBytes: 0 },
    ]);
    registry.reset();
    expect(registry.count()).toBe(0);
  });

  it('hides a manifest whose type the client does not accept, and what is not there', async () => {
    const narrow = await request(manifest, { headers: { accept: `${image.manifest.mediaType}, */*` } });
    expect(narrow.status).toBe(404);
    expect(narrow.body.toString()).toContain('MANIFEST_UNKNOWN');
    registry.deleteTag('library/box', 'latest');
    expect((await request(manifest, { headers: accept })).status).toBe(404);
    expect((await request(`${registry.url}/v2/absent/tags/list`)).body.toString()).toContain('NAME_UNKNOWN');
  });

  it.each([
    ['bytes=10-19', 206, 'bytes 10-19/200000', 10],
    ['bytes=199990-', 206, 'bytes 199990-199999/200000', 10],
    ['bytes=-5', 206, 'bytes 199995-199999/200000', 5],
    ['bytes=0-999999', 206, 'bytes 0-199999/200000', 200_000],
    ['bytes=200000-', 416, 'bytes */200000', 0],
    ['bytes=0-1,5-6', 200, undefined, 200_000],
    ['bytes=9-3', 200, undefined, 200_000],
  ])('answers Range %s with %i', async (range, status, contentRange, length) => {
    const reply = await request(blob, { headers: { range } });
    expect(reply.status).toBe(status);
    expect(reply.headers['content-range']).toBe(contentRange);
    expect(reply.body).toHaveLength(length);
    const [, start = 0] = /^bytes (\d+)-/.exec(contentRange ?? '') ?? [];
    expect(reply.body.equals(layer.body.subarray(Number(start), Number(start) + length))).toBe(true);
  });

  it('honours If-Range and If-None-Match by its ETag', async () => {
    const { etag } = (await request(blob, { method: 'HEAD' })).headers;
    const same = { range: 'bytes=5-', 'if-range': etag! };
    expect((await request(blob, { headers: same })).status).toBe(206);
    expect((await request(blob, { headers: { ...same, 'if-range': '"other"' } })).status).toBe(200);
    expect((await request(blob, { headers: { 'if-none-match': etag! } })).status).toBe(304);
    registry.behaviour.ranges = false;
    const whole = await request(blob, { headers: { range: 'bytes=5-' } });
    expect(whole.status).toBe(200);
    expect(whole.headers['accept-ranges']).toBeUndefined();
  });

  it('pages tags with relative and absolute links', async () => {
    const list = `${registry.url}/v2/library/box/tags/list`;
    expect(JSON.parse((await request(list)).body.toString())).toEqual({
      name: 'library/box',
      tags: ['latest', 'v1', 'v2'],
    });
    const first = await request(`${list}?n=2`);
    expect(first.headers.link).toBe('</v2/library/box/tags/list?last=v1&n=2>; rel="next"');
    const second = await request(`${list}?n=2&last=v1`);
    expect(JSON.parse(second.body.toString())).toMatchObject({ tags: ['v2'] });
    expect(second.headers.link).toBeUndefined();
    Object.assign(registry.behaviour.tags, { links: 'absolute', pageSize: 1, refuseAbove: 1000 });
    expect((await request(list)).headers.link).toBe(`<${list}?last=latest&n=1>; rel="next"`);
    expect((await request(`${list}?n=1001`)).status).toBe(405);
  });

  it('lists referrers or knows no such thing', async () => {
    const referrers = `${registry.url}/v2/library/box/referrers/${index.manifest.digest}`;
    const found = await request(`${referrers}?artifactType=application/vnd.example.sbom`);
    expect(JSON.parse(found.body.toString())).toMatchObject({ manifests: [{ digest: artifact.manifest.digest }] });
    expect(found.headers['oci-filters-applied']).toBe('artifactType');
    const none = await request(`${referrers}?artifactType=other/type`);
    expect(JSON.parse(none.body.toString())).toMatchObject({ manifests: [] });
    registry.behaviour.referrers = 'missing';
    expect((await request(referrers)).status).toBe(404);
  });
});

describe('FakeRegistry quirks', () => {
  it('refuses HEAD and leaves headers out', async () => {
    Object.assign(registry.behaviour, {
      head: { manifests: 405, blobs: 401 },
      omitDigest: true,
      omitContentLength: true,
    });
    expect((await request(manifest, { method: 'HEAD', headers: accept })).status).toBe(405);
    expect((await request(blob, { method: 'HEAD' })).status).toBe(401);
    const reply = await request(blob);
    expect(reply.body.equals(layer.body)).toBe(true);
    expect(reply.headers['transfer-encoding']).toBe('chunked');
    expect(reply.headers['content-length']).toBeUndefined();
    expect(reply.headers['docker-content-digest']).toBeUndefined();
  });

  it('redirects to a CDN that wants no Authorization and can count', async () => {
    Object.assign(registry.behaviour, { redirectBlobs: 307, cdn: { once: true, refuseAuthorization: true } });
    const { status, headers } = await request(blob);
    expect(status).toBe(307);
    const location = headers.location!;
    expect(new URL(location).host).not.toBe(registry.host);
    expect((await request(location, { headers: { authorization: 'Bearer leaked' } })).status).toBe(400);
    expect((await request(location, { headers: { range: 'bytes=0-9' } })).status).toBe(206);
    expect((await request(location)).status).toBe(403);
    expect(registry.count({ kind: 'cdn', repository: 'library/box', reference: layer.digest })).toBe(3);
    expect(registry.cdn.authorizations).toBe(1);
  });

  it('counts manifest GETs, not HEADs, against a rate limit', async () => {
    registry.behaviour.rateLimit = { limit: 100, remaining: 1, window: 21_600 };
    const head = await request(manifest, { method: 'HEAD', headers: accept });
    expect(head.headers).toMatchObject({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '1;w=21600' });
    expect((await request(manifest, { headers: accept })).status).toBe(200);
    expect((await request(manifest, { headers: accept })).status).toBe(429);
    expect((await request(manifest, { method: 'HEAD', headers: accept })).status).toBe(200);
  });

  it('has outages of chosen kinds, for a number of requests', async () => {
    registry.behaviour.outage = { status: 503, retryAfter: 7, kinds: ['manifest'], times: 1 };
    expect((await request(blob)).status).toBe(200);
    const out = await request(manifest, { headers: accept });
    expect(out.status).toBe(503);
    expect(out.headers['retry-after']).toBe('7');
    expect((await request(manifest, { headers: accept })).status).toBe(200);
  });

  it('compresses for clients that accept it', async () => {
    registry.behaviour.gzipWhenAccepted = true;
    const packed = await request(blob, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).equals(layer.body)).toBe(true);
    expect((await request(blob, { headers: { 'accept-encoding': 'identity' } })).body.equals(layer.body)).toBe(true);
  });

  it('is slow where told to', async () => {
    Object.assign(registry.behaviour, { delayHeaders: 60, bytesPerSecond: 1_000_000, slowKinds: ['blob'] });
    await request(manifest, { headers: accept });
    const began = performance.now();
    expect((await request(blob)).body.equals(layer.body)).toBe(true);
    // Only the lower bound: a busy machine makes everything slower.
    expect(performance.now() - began).toBeGreaterThan(200);
  });

  it('notices a client that leaves', async () => {
    registry.behaviour.bytesPerSecond = 10_000;
    await expect(request(blob, { signal: AbortSignal.timeout(100) })).resolves.toHaveProperty('error');
    await expect.poll(() => [registry.inFlight, registry.openSockets]).toEqual([0, 0]);
    expect(registry.bodyBytes({ kind: 'blob' })).toBeLessThan(100_000);
  });

  it('holds a request back until the test lets it go', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.behaviour.before = () => held;
    const replies = [request(blob), request(blob)];
    await expect.poll(() => registry.inFlight).toBe(2);
    release();
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200]);
    expect(registry.peakInFlight).toBe(2);
  });

  it('stops, and comes back on the same port', async () => {
    const agent = new http.Agent({ keepAlive: true });
    await request(blob, { agent });
    const { url } = registry;
    await registry.stop();
    await expect(request(blob)).rejects.toThrow('ECONNREFUSED');
    await registry.restart();
    await sleep(10);
    expect(registry.url).toBe(url);
    expect((await request(blob, { agent })).status).toBe(200);
    agent.destroy();
  });

  it('speaks https with a certificate that vouches for itself', async () => {
    const tls = makeCertificate();
    await using secure = await FakeRegistry.start({ tls });
    expect((await request(`${secure.url}/v2/`, { ca: tls.cert })).status).toBe(200);
    await expect(request(`${secure.url}/v2/`)).rejects.toThrow(/self-signed/);
  });
});
