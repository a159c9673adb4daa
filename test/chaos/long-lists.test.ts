import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { Reply } from '../fakes/request.js';
import { Scene } from './support/scene.js';
import { until } from './support/gate.js';

const tags = Array.from({ length: 60_000 }, (_, index) => `v${index}-${'x'.repeat(120)}`);
const list = JSON.stringify({ name: 'other', tags });
const path = 'app/tags/list';
const subject = `sha256:${'a'.repeat(64)}`;
const referrers = Array.from({ length: 20_000 }, (_, index) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${index.toString(16).padStart(64, '0')}`,
  size: 1_000,
  annotations: { note: 'x'.repeat(150) },
}));
const index = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: referrers,
});

/** As gcr.io lists a repository: the manifests with the tags of each, then the tags. */
const withManifests = (count: number) => {
  const manifest = Object.fromEntries(
    Array.from({ length: count }, (_, each) => [
      `sha256:${each.toString(16).padStart(64, '0')}`,
      {
        imageSizeBytes: '1000',
        layerId: '',
        mediaType: 'x',
        tag: [`v${each}`],
        timeCreatedMs: '0',
        timeUploadedMs: '0',
      },
    ]),
  );
  return JSON.stringify({ child: [], manifest, name: 'app', tags: Object.values(manifest).flatMap(({ tag }) => tag) });
};

interface Sending {
  readonly isChunked?: boolean;
  readonly link?: string;
  /** Bytes after which the connection breaks. */
  readonly cut?: number;
}

async function send(response: ServerResponse, body: string, { isChunked, link, cut }: Sending): Promise<void> {
  const bytes = Buffer.from(body);
  response.writeHead(200, {
    'content-type': 'application/vnd.oci.image.index.v1+json',
    ...(isChunked !== true && { 'content-length': bytes.length }),
    ...(link !== undefined && { link }),
  });
  const slices = function* () {
    for (let position = 0; position < (cut ?? bytes.length); position += 65_536)
      yield bytes.subarray(position, Math.min(position + 65_536, cut ?? bytes.length));
  };
  await pipeline(Readable.from(slices()), response, { end: cut === undefined });
  if (cut !== undefined) response.destroy();
}

async function sceneOf(body: string, sending: Sending = {}): Promise<Scene> {
  const scene = await Scene.set();
  scene.registry.behaviour.before = async ({ kind }, response) => {
    if (kind !== 'tags' && kind !== 'referrers') return;
    // A client that leaves is no failure of the registry.
    await send(response, body, sending).catch(() => undefined);
  };
  return scene;
}

const tagsOf = ({ body }: Reply) => JSON.parse(body.toString()) as { name: string; tags: string[] };

describe('a list of more than 4 MiB', () => {
  it.each([
    ['with its length', {}],
    ['in chunks', { isChunked: true }],
  ])('is passed on whole, as that of the repository: %s', async (_, sending) => {
    await using scene = await sceneOf(list, {
      ...sending,
      link: '</v2/app/tags/list?next_page=TOK&n=60000>; rel="next"',
    });
    const reply = await scene.get(path);
    expect([reply.status, reply.error, reply.headers['x-cache']]).toEqual([200, undefined, 'MISS']);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers.link).toBe('</v2/registry.test/app/tags/list?next_page=TOK&n=60000>; rel="next"');
    const document = tagsOf(reply);
    expect([document.name, document.tags.length, document.tags.at(-1)]).toEqual(['app', tags.length, tags.at(-1)]);
    const head = await scene.get(path, { method: 'HEAD' });
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });

  it('of referrers is passed on as it is', async () => {
    await using scene = await sceneOf(index);
    const reply = await scene.get(`app/referrers/${subject}`);
    expect([reply.status, reply.error, reply.body.toString() === index]).toEqual([200, undefined, true]);
    expect(reply.headers['content-type']).toBe('application/vnd.oci.image.index.v1+json');
  });

  it('is had by each of many clients who want it at the same time', async () => {
    await using scene = await sceneOf(list);
    const replies = await Promise.all(Array.from({ length: 7 }, () => scene.get(path)));
    expect(replies.filter(({ status }) => status !== 200).map(({ body }) => body.toString())).toEqual([]);
    for (const reply of replies)
      expect([reply.status, reply.error, tagsOf(reply).tags.length]).toEqual([200, undefined, tags.length]);
    await until(() => scene.registry.inFlight === 0, 'the registry is left alone');
  });

  it('is not kept: an outage makes it 503', async () => {
    await using scene = await sceneOf(list);
    await scene.get(path);
    await scene.registry.stop();
    expect((await scene.see(path)).status).toBe(503);
  });

  it('is kept when what clients get of it is small, as of gcr.io', async () => {
    const body = withManifests(40_000);
    expect(body.length).toBeGreaterThan(6_000_000);
    await using scene = await sceneOf(body);
    const reply = await scene.get(path);
    expect([reply.status, tagsOf(reply).tags.length]).toEqual([200, 40_000]);
    expect(await scene.see(path)).toMatchObject({ status: 200, cache: 'HIT' });
    await scene.registry.stop();
    scene.clock.pass(60);
    const stale = await scene.get(path);
    expect([stale.headers['x-cache'], stale.body.equals(reply.body)]).toEqual(['STALE', true]);
  });
});

describe('a list of more than 4 MiB that is none', () => {
  const long = 'x'.repeat(5_000_000);
  it.each([
    ['HTML', `<html>${long}</html>`],
    ['another document', JSON.stringify({ repositories: [long] })],
    ['tags that are no texts', JSON.stringify({ tags: [1, long] })],
    ['tags that are no array', JSON.stringify({ tags: long })],
    ['tags after what is no JSON', `{"name":"${long}\\x","tags":["a"]}`],
  ])('is 502 where that shows before anything was sent: %s', async (_, body) => {
    await using scene = await sceneOf(body);
    expect(await scene.see(path)).toMatchObject({ status: 502, code: 'UPSTREAM_ERROR' });
    await until(() => scene.registry.inFlight === 0, 'the registry is left alone');
  });

  it.each([
    ['its end is missing', list.slice(0, -2)],
    ['something comes after it', `${list}<!-- served by -->`],
    ['it goes on as HTML', `${list.slice(0, -20_000)}<html>`],
  ])('is never complete for a client: %s', async (_, body) => {
    await using scene = await sceneOf(body, { isChunked: true });
    const reply = await scene.get(path);
    expect(reply.status).toBe(200);
    expect(reply.error).toBeDefined();
  });

  it('is never complete for a client when the connection to the registry breaks', async () => {
    for (const isChunked of [true, false]) {
      await using scene = await sceneOf(list, { isChunked, cut: 7_000_000 });
      const reply = await scene.get(path);
      expect([reply.status, reply.error === undefined]).toEqual([200, false]);
    }
  });
});

describe('a client of a long list', () => {
  it('that leaves ends the request to the registry, and keeps no other waiting', async () => {
    await using scene = await sceneOf(list);
    for (let round = 0; round < 8; round += 1) {
      const sent = http.get(`${scene.mirror.url}/v2/registry.test/${path}`, { agent: false });
      sent.on('error', () => undefined);
      await once(sent, 'response');
      sent.destroy();
    }
    await until(() => scene.registry.inFlight === 0, 'the registry is left alone');
    expect(tagsOf(await scene.get(path)).tags.length).toBe(tags.length);
  });
});
