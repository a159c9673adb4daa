import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { MovingClock } from '../support/moving-clock.js';
import { Scrape } from '../support/metrics.js';
import { until } from '../support/until.js';
import { Conversation, type Heard } from './support/conversation.js';
import { Hosting, withQuery } from './support/hosting.js';

const limit = 10_000;
const app = '/v2/local/app';
const small = makeBlob(4_000, 'small');
const other = makeBlob(4_000, 'other');
const large = makeBlob(8_000, 'large');
const image = makeImage({ layers: [3_000, 3_000], seed: 'quota' });

const start = (more: { readonly quotas?: { repositories: string; maxSize: number }[]; maxSize?: number } = {}) =>
  Hosting.start({ hosted: [{ namespace: 'local', maxSize: limit, ...more }] });

function expectFull(response: Heard, used: number, repositories = 'local/**', most = limit): void {
  expectError(response, 403, 'DENIED');
  const { errors } = JSON.parse(response.body.toString()) as { errors: [{ message: string; detail: unknown }] };
  expect(errors[0].message).toMatch(
    /^the quota of \S+ is exceeded: [\d.]+ (Ki)?B of [\d.]+ (Ki)?B are used(, and [\d.]+ (Ki)?B more do not fit)?$/,
  );
  expect(errors[0].detail).toMatchObject({ repositories, used, limit: most });
}

/** Whatever is being written, or waits to be continued. */
async function unfinished({ mirror }: Hosting): Promise<string[]> {
  const below = (folder: string) =>
    readdir(join(mirror.root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  const found = [...(await below('ingest')), ...(await below('uploads'))];
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function contents({ mirror }: Hosting): Promise<number> {
  const found = await readdir(join(mirror.root, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile()).length;
}

describe('a push beyond the quota is denied', () => {
  it('in one request, before its body is read', async () => {
    await using hosting = await start();
    expect(
      (await hosting.ask('POST', `${app}/blobs/uploads/?digest=${small.digest}`, { body: small.body })).status,
    ).toBe(201);
    const target = `${app}/blobs/uploads/?digest=${large.digest}`;
    hosting.client.say(`POST ${target} HTTP/1.1\r\nhost: m\r\ncontent-length: ${large.body.length}\r\n\r\n`);
    expectFull(await hosting.client.hear(), 4_000);
    await using next = await start();
    expectFull(await next.ask('POST', target, { body: [large.body, Buffer.alloc(3_000)] }), 0);
    expect([await unfinished(hosting), await contents(hosting)]).toEqual([[], 1]);
    expect([await unfinished(next), await contents(next)]).toEqual([[], 0]);
  });

  it('at the chunk that does not fit, whose session ends', async () => {
    await using hosting = await start();
    await hosting.pushBlob(small);
    for (const body of [large.body, [large.body.subarray(0, 4_000), large.body.subarray(4_000)]]) {
      const location = await hosting.begin();
      const { headers } = await hosting.ask('PATCH', location, { body: Buffer.alloc(1_000) });
      expectFull(await hosting.ask('PATCH', headers.location!, { body }), 4_000);
      // regctl goes on with it.
      expectFull(await hosting.ask('PATCH', headers.location!, { body: 'more' }), 4_000);
      expectFull(await hosting.ask('GET', headers.location!), 4_000);
      const elsewhere = headers.location!.replace('/app/', '/other/');
      expectError(await hosting.ask('GET', elsewhere), 404, 'BLOB_UPLOAD_UNKNOWN');
      expect((await hosting.ask('DELETE', headers.location!)).status).toBe(204);
      expectError(await hosting.ask('GET', headers.location!), 404, 'BLOB_UPLOAD_UNKNOWN');
    }
    expect([await unfinished(hosting), await contents(hosting)]).toEqual([[], 1]);
  });

  it.each([
    ['a body', [] as Buffer[]],
    ['the rest', [large.body.subarray(0, 4_000)]],
    ['nothing, while others have used the room', [large.body]],
  ])('at the PUT with %s', async (_, chunks) => {
    await using hosting = await start();
    let location = await hosting.begin();
    for (const body of chunks) location = (await hosting.ask('PATCH', location, { body })).headers.location!;
    await hosting.pushBlob(small);
    const body = large.body.subarray(chunks[0]?.length ?? 0);
    expectFull(await hosting.ask('PUT', withQuery(location, `digest=${large.digest}`), { body }), 4_000);
    expectFull(await hosting.ask('GET', location), 4_000);
    expect((await hosting.ask('HEAD', `${app}/blobs/${large.digest}`)).status).toBe(404);
    expect([await unfinished(hosting), await contents(hosting)]).toEqual([[], 1]);
  });

  it('at the beginning of any upload when there is no room at all', async () => {
    await using hosting = await start({ maxSize: 4_000 });
    await hosting.pushBlob(small);
    expectFull(await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' }), 4_000, 'local/**', 4_000);
  });

  it('at a mount from a namespace that is not counted', async () => {
    await using hosting = await Hosting.start({
      hosted: [{ namespace: 'local', maxSize: 6_000 }, { namespace: 'free' }],
    });
    await hosting.pushBlob(large, 'free/app');
    await hosting.pushBlob(small, 'free/app');
    const from = encodeURIComponent('free/app');
    const { status } = await hosting.ask('POST', `${app}/blobs/uploads/?mount=${small.digest}&from=${from}`, {
      body: '',
    });
    expect(status).toBe(201);
    expectFull(
      await hosting.ask('POST', `${app}/blobs/uploads/?mount=${large.digest}&from=${from}`, { body: '' }),
      4_000,
      'local/**',
      6_000,
    );
    expect((await hosting.ask('HEAD', `${app}/blobs/${large.digest}`)).status).toBe(404);
  });

  it('at the manifest, which is not readable then', async () => {
    const blobs = [image.config, ...image.layers].reduce((sum, { body }) => sum + body.length, 0);
    await using hosting = await start({ maxSize: blobs + image.manifest.body.length - 1 });
    const { status } = await hosting.pushImage(image, '1');
    expect(status).toBe(403);
    expect((await hosting.ask('HEAD', `${app}/manifests/1`)).status).toBe(404);
    expect((await hosting.ask('HEAD', `${app}/manifests/${image.manifest.digest}`)).status).toBe(404);
    await using room = await start({ maxSize: blobs + image.manifest.body.length });
    expect((await room.pushImage(image, '1')).status).toBe(201);
    // It is there already.
    expect(
      (
        await room.ask('PUT', `${app}/manifests/2`, {
          body: image.manifest.body,
          headers: [`content-type: ${image.manifest.mediaType}`],
        })
      ).status,
    ).toBe(201);
  });

  it('however many come at the same time', async () => {
    await using hosting = await start();
    const clients = await Promise.all(Array.from({ length: 6 }, () => Conversation.open(hosting.url)));
    const answers = await Promise.all(
      clients.map((client, at) => {
        const blob = makeBlob(4_000, `parallel ${at}`);
        return client.ask('POST', `${app}/blobs/uploads/?digest=${blob.digest}`, { body: blob.body });
      }),
    );
    for (const client of clients) await client[Symbol.asyncDispose]();
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 403, 403, 403, 403]);
    expect([await unfinished(hosting), await contents(hosting)]).toEqual([[], 2]);
  });
});

describe('a quota counts', () => {
  it('a digest once, whatever repositories have it', async () => {
    await using hosting = await start();
    for (const repository of ['local/app', 'local/b', 'local/c', 'local/d/e'])
      expect((await hosting.pushBlob(small, repository)).status).toBe(201);
    const mounted = await hosting.ask('POST', `/v2/local/f/blobs/uploads/?mount=${small.digest}&from=local/app`, {
      body: '',
    });
    expect(mounted.status).toBe(201);
    expect((await hosting.pushBlob(other)).status).toBe(201);
    const again = await hosting.ask('POST', `/v2/local/g/blobs/uploads/?digest=${small.digest}`, { body: small.body });
    expect(again.status).toBe(201);
    expect(await used(hosting)).toEqual({ '**': 8_000 });
  });

  it('what repositories of a pattern hold together, besides what the namespace holds', async () => {
    await using hosting = await start({ quotas: [{ repositories: 'team/**', maxSize: 5_000 }] });
    expect((await hosting.pushBlob(small, 'local/team/a')).status).toBe(201);
    const target = `/v2/local/team/b/c/blobs/uploads/?digest=${other.digest}`;
    expectFull(await hosting.ask('POST', target, { body: other.body }), 4_000, 'local/team/**', 5_000);
    expect((await hosting.pushBlob(small, 'local/team/b/c')).status).toBe(201);
    expect((await hosting.pushBlob(other, 'local/app')).status).toBe(201);
    expect(await used(hosting)).toEqual({ 'team/**': 4_000, '**': 8_000 });
  });

  it('what was there before the start', async () => {
    await using first = await start();
    await first.pushBlob(large);
    await first.pushBlob(large, 'local/b');
    await using second = await Hosting.start({
      hosted: [{ namespace: 'local', maxSize: limit }],
      root: first.mirror.root,
    });
    await until('it is counted', async () => (await used(second))['**'] === 8_000);
    expectFull(await second.ask('POST', `${app}/blobs/uploads/?digest=${small.digest}`, { body: small.body }), 8_000);
  });

  it('nothing any more of what was deleted', async () => {
    await using hosting = await start();
    await hosting.pushBlob(large);
    const push = ({ digest, body }: typeof small) =>
      hosting.ask('POST', `${app}/blobs/uploads/?digest=${digest}`, { body });
    expectFull(await push(small), 8_000);
    expect((await hosting.ask('DELETE', `${app}/blobs/${large.digest}`)).status).toBe(202);
    expect((await push(small)).status).toBe(201);
    expect((await push(other)).status).toBe(201);
    expectFull(await push(makeBlob(4_000, 'third')), 8_000);
    expect(await used(hosting)).toEqual({ '**': 8_000 });
    await hosting.pushBlob(small, 'local/b');
    expect((await hosting.ask('DELETE', `${app}/blobs/${small.digest}`)).status).toBe(202);
    expectFull(await push(makeBlob(4_000, 'third')), 8_000);
  });

  it('nothing any more of a deleted manifest', async () => {
    await using hosting = await start({ maxSize: 8_000 });
    const index = (at: string) => {
      const annotations = { at: at.repeat(5_000) };
      const mediaType = 'application/vnd.oci.image.index.v1+json';
      return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [], annotations }));
    };
    const put = (at: string) => hosting.ask('PUT', `${app}/manifests/${at}`, { body: index(at) });
    const { status, headers } = await put('a');
    expect(status).toBe(201);
    expectError(await put('b'), 403, 'DENIED');
    const digest = headers['docker-content-digest']!;
    expect((await hosting.ask('DELETE', `${app}/manifests/${digest}`)).status).toBe(202);
    expect((await put('b')).status).toBe(201);
  });

  it('nothing any more of what is gone, after the next sweep', async () => {
    await using hosting = await start();
    await hosting.pushBlob(large);
    const push = () => hosting.ask('POST', `${app}/blobs/uploads/?digest=${small.digest}`, { body: small.body });
    expectFull(await push(), 8_000);
    await rm(join(hosting.mirror.root, 'repositories/local/app/_blobs'), { recursive: true });
    expectFull(await push(), 8_000);
    await hosting.mirror.app.get(SweepService).run();
    expect((await push()).status).toBe(201);
    expect(await used(hosting)).toEqual({ '**': 4_000 });
  });

  it('what another replica has taken, at the latest a minute later', async () => {
    const server = { advertiseUrl: 'http://127.0.0.1:1' };
    const hosted = [{ namespace: 'local', maxSize: limit }];
    const clock = new MovingClock();
    await using one = await Hosting.start({ hosted, server });
    await using two = await Hosting.start({ hosted, server, clock, root: one.mirror.root });
    await until('it is counted', async () => (await used(two))['**'] === 0);
    await one.pushBlob(large);
    expect((await two.pushBlob(small)).status).toBe(201);
    clock.pass(61);
    await two.ask('POST', `${app}/blobs/uploads/?digest=${small.digest}`, { body: small.body });
    await until('it is counted again', async () => (await used(two))['**'] === 12_000);
    expectFull(await two.ask('POST', `${app}/blobs/uploads/`, { body: '' }), 12_000);
    await one.ask('DELETE', `${app}/blobs/${large.digest}`);
    clock.pass(61);
    expect((await two.pushBlob(other)).status).toBe(201);
  });

  it('nothing of a push that fails', async () => {
    await using hosting = await start();
    const wrong = await hosting.ask('POST', `${app}/blobs/uploads/?digest=${large.digest}`, { body: small.body });
    expectError(wrong, 400, 'DIGEST_INVALID');
    const location = await hosting.begin();
    const put = await hosting.ask('PUT', withQuery(location, `digest=${large.digest}`), { body: small.body });
    expectError(put, 400, 'DIGEST_INVALID');
    expect(await used(hosting)).toEqual({ '**': 0 });
    expect((await hosting.pushBlob(large)).status).toBe(201);
  });
});

/** What is used, by pattern, as the metrics show it. */
async function used({ url }: Hosting): Promise<Record<string, number>> {
  const scrape = await Scrape.of(url);
  const of = /^oci_registry_hosted_used_bytes\{namespace="local",repositories="(.*)"\}$/;
  return Object.fromEntries(
    scrape.series.flatMap((series) => {
      const [, pattern] = of.exec(series) ?? [];
      return pattern === undefined ? [] : [[pattern, scrape.get(series) ?? NaN] as const];
    }),
  );
}
