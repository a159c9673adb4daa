import http from 'node:http';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { blobOf, makeImage, makeIndex } from '../../fixtures/images.js';
import { Gate } from '../support/gate.js';
import { heldBlob } from '../support/held-blob.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';
import { AdminAddress, ends, warm } from './support.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
const armv7 = { os: 'linux', architecture: 'arm', variant: 'v7' };

function twoPlatforms() {
  const images = [
    makeImage({ layers: [300_000, 2_000_000], seed: 'amd64', platform: amd64 }),
    makeImage({ layers: [100_000], seed: 'arm', platform: armv7 }),
  ] as const;
  const index = makeIndex([
    { image: images[0], platform: amd64 },
    { image: images[1], platform: armv7 },
  ]);
  return { images, index };
}

describe('POST /_admin/warm', () => {
  it('pulls an index with all of its images, so that the upstream is needed no more', async () => {
    await using stage = await Stage.start({ registry: { auth: 'bearer' } });
    await using admin = await AdminAddress.open(stage);
    const { images, index } = twoPlatforms();
    stage.registry.addImage('team/app', index, ['1.0']);
    const { status, headers, events } = await warm(admin.url, { images: ['registry.test/team/app:1.0'] });
    expect([status, headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    expect(ends(events)).toMatchObject([
      { image: 'registry.test/team/app:1.0', platform: 'linux/amd64', state: 'done', blobs: { done: 3, total: 3 } },
      { image: 'registry.test/team/app:1.0', platform: 'linux/arm/v7', state: 'done', blobs: { done: 2, total: 2 } },
    ]);
    const [first] = ends(events);
    expect(first!.bytes.done).toBe(2_300_000 + images[0].config.body.length);
    expect(first!.bytes.total).toBe(first!.bytes.done);
    await stage.mirror.settled();
    await stage.registry.stop();
    for (const { manifest, config, layers } of images) {
      expect((await stage.get(`team/app/manifests/${manifest.digest}`)).headers['x-cache']).toBe('HIT');
      for (const { digest, body } of [config, ...layers]) {
        const reply = await stage.get(`team/app/blobs/${digest}`);
        expect([reply.headers['x-cache'], reply.body.equals(body)]).toEqual(['HIT', true]);
      }
    }
  });

  it('pulls what is here already from nowhere', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    stage.registry.addImage('team/app', twoPlatforms().index, ['1.0']);
    const body = { images: ['registry.test/team/app:1.0'] };
    const first = await warm(admin.url, body);
    await stage.mirror.settled();
    const asked = stage.asked.length;
    const second = await warm(admin.url, body);
    expect(ends(second.events)).toEqual(ends(first.events));
    expect(stage.asked.length).toBe(asked);
  });

  it('pulls the platforms that are asked for, and says which there are not', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const { images, index } = twoPlatforms();
    stage.registry.addImage('team/app', index, ['1.0']);
    const platforms = ['linux/arm', 'linux/s390x'];
    const { events } = await warm(admin.url, { images: ['registry.test/team/app:1.0'], platforms });
    expect(ends(events)).toMatchObject([
      { platform: 'linux/arm/v7', state: 'done' },
      { platform: 'linux/s390x', state: 'failed', error: { code: 'MANIFEST_UNKNOWN' } },
    ]);
    expect(stage.registry.count({ reference: images[0].manifest.digest })).toBe(0);
  });

  it('tells of what fails, and goes on', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const good = makeImage({ seed: 'good' });
    const broken = makeImage({ seed: 'broken', layers: [1_000, 2_000] });
    stage.registry.addImage('team/good', good, ['1.0']);
    stage.registry.addImage('team/broken', broken, ['1.0']);
    stage.registry.deleteBlob('team/broken', broken.layers[1]!.digest);
    const images = ['registry.test/team/NONE', 'registry.test/team/none', 'registry.test/team/broken:1.0', 'x@y'];
    const { status, events } = await warm(admin.url, { images: [...images, 'registry.test/team/good:1.0'] });
    expect(status).toBe(200);
    expect(ends(events).map(({ image, state, error }) => [image, state, error?.code])).toEqual([
      [images[0], 'failed', 'NAME_INVALID'],
      [images[1], 'failed', 'MANIFEST_UNKNOWN'],
      [images[2], 'failed', 'BLOB_UNKNOWN'],
      [images[3], 'failed', 'DIGEST_INVALID'],
      ['registry.test/team/good:1.0', 'done', undefined],
    ]);
  });

  it('does not call wrong content good', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const image = makeImage({ layers: [500_000] });
    stage.registry.addImage('team/app', image, ['1.0']);
    const layer = image.layers[0]!;
    const wrong = Buffer.from(layer.body);
    wrong[1]! ^= 1;
    stage.registry.behaviour.before = (asked, response) => {
      if (asked.reference !== layer.digest || asked.method !== 'GET') return;
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong);
    };
    const { events } = await warm(admin.url, { images: ['registry.test/team/app:1.0'] });
    expect(ends(events)).toMatchObject([{ state: 'failed' }]);
    expect((await stage.head(`team/app/blobs/${layer.digest}`)).headers['x-cache']).toBe('MISS');
  });

  it('fetches four blobs at a time', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    stage.registry.addImage('team/app', makeImage({ layers: Array<number>(12).fill(100_000) }), ['1.0']);
    stage.registry.behaviour.delayBody = 50;
    const { events } = await warm(admin.url, { images: ['registry.test/team/app:1.0'] });
    expect(ends(events)).toMatchObject([{ state: 'done', blobs: { done: 13 } }]);
    expect(stage.registry.peakInFlight).toBe(4);
  });

  it('ends when the client leaves', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    using gate = new Gate();
    const first = makeImage({ layers: [200_000], seed: 'first' });
    stage.registry.addImage('team/first', first, ['1.0']);
    stage.registry.addImage('team/second', makeImage({ seed: 'second' }), ['1.0']);
    stage.registry.behaviour.before = heldBlob(first.layers[0]!, 1_000, gate);
    const sent = http.request(`${admin.url}/_admin/warm`, { method: 'POST', agent: false });
    sent.on('error', () => undefined);
    sent.end(JSON.stringify({ images: ['registry.test/team/first:1.0', 'registry.test/team/second:1.0'] }));
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    response.on('error', () => undefined).resume();
    await until('the layer is asked for', () => stage.registry.count({ reference: first.layers[0]!.digest }) > 0);
    sent.destroy();
    await until('the request has ended', () => stage.mirror.log.includes('"path":"/_admin/warm"'));
    gate.open();
    await stage.mirror.settled();
    expect(stage.registry.count({ repository: 'team/second' })).toBe(0);
    expect(stage.mirror.log).toContain('"aborted":true');
    expect(stage.mirror.log).not.toContain('"level":50');
  });

  it('tells of progress while a blob is slow', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    using gate = new Gate();
    const image = makeImage({ layers: [400_000] });
    stage.registry.addImage('team/app', image, ['1.0']);
    stage.registry.behaviour.before = heldBlob(image.layers[0]!, 150_000, gate);
    setTimeout(() => gate.open(), 1_500);
    const { events } = await warm(admin.url, { images: ['registry.test/team/app:1.0'] });
    const between = events.filter(
      ({ state, bytes }) => state === 'pulling' && bytes.done > 0 && bytes.done < bytes.total,
    );
    expect(between.length).toBeGreaterThanOrEqual(1);
  });

  it('takes four requests at a time', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    using gate = new Gate();
    const image = makeImage();
    stage.registry.addImage('team/app', image, ['1.0']);
    stage.registry.behaviour.before = heldBlob(image.layers[0]!, 10, gate);
    const body = { images: ['registry.test/team/app:1.0'] };
    const running = Array.from({ length: 4 }, () => warm(admin.url, body));
    await until('the layer is asked for', () => stage.registry.count({ reference: image.layers[0]!.digest }) > 0);
    await until('all have begun', async () => (await warm(admin.url, { images: ['BAD'] })).status === 503);
    gate.open();
    for (const { events } of await Promise.all(running)) expect(ends(events)).toMatchObject([{ state: 'done' }]);
    expect((await warm(admin.url, body)).status).toBe(200);
  });

  it.each([
    ['no JSON', 'nonsense', 400],
    ['a list', '[]', 400],
    ['nothing', '', 400],
    ['no images', '{}', 400],
    ['an empty list', '{"images":[]}', 400],
    ['a number for an image', '{"images":[1]}', 400],
    ['a malformed platform', '{"images":["a"],"platforms":["linux"]}', 400],
    ['too many images', JSON.stringify({ images: Array<string>(1_001).fill('a') }), 413],
    ['too many bytes', JSON.stringify({ images: ['a'.repeat(1_048_576)] }), 413],
  ])('refuses %s', async (_, body, status) => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const answer = await admin.request.post('/_admin/warm').set('content-type', type).send(body);
      expect([answer.status, answer.headers['content-type']], type).toEqual([status, 'application/json']);
    }
    expect((await request(`${admin.url}/_admin/usage`)).status).toBe(200);
  });

  it('survives a manifest that names nonsense', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const document = { schemaVersion: 2, mediaType, config: 7, layers: [null, { digest: 5 }, { digest: '../x' }, []] };
    const manifest = { ...blobOf(Buffer.from(JSON.stringify(document))), mediaType };
    stage.registry.addImage('team/odd', { manifest }, ['1.0']);
    const { events } = await warm(admin.url, { images: ['registry.test/team/odd:1.0'] });
    expect(ends(events)).toMatchObject([{ state: 'done', blobs: { total: 0 } }]);
  });
});
