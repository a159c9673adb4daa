import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { type Client, NAMESPACE } from './support/client.js';
import { Containerd } from './support/containerd.js';
import { Crane } from './support/crane.js';
import { FrontRegistry } from './support/front-registry.js';
import { pull } from './support/pull.js';
import { Skopeo } from './support/skopeo.js';
import { Stage } from './support/stage.js';

const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
const list = '/v2/team/tags/tags/list';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ namespaces: [NAMESPACE], options: ['--default-namespace', NAMESPACE] });
  onTestFailed(async () => console.error(await stage.mirror.logTail()));
});
afterEach(() => (stage as Stage | undefined)?.close());

const smallImages = () => [stage.images.multi, stage.images.schema2, stage.images.medium];
const containerd = () => Containerd.open(stage.scratch, stage.mirror);
const crane = () => Crane.open(stage.scratch, stage.mirror);
const skopeo = () => Skopeo.open(stage.scratch, stage.mirror, 'prefix');

/** A registry that pages by tokens of its own, as Quay and Artifactory do. */
function paged(tags: readonly string[], size: number) {
  return ({ url = '' }: IncomingMessage, response: ServerResponse): boolean => {
    const { pathname, searchParams } = new URL(url, 'http://upstream');
    if (pathname !== list) return false;
    const from = Number(Buffer.from(searchParams.get('next_page') ?? '', 'base64url').toString() || 0);
    const token = Buffer.from(String(from + size)).toString('base64url');
    const isLast = from + size >= tags.length;
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(!isLast && { link: `<${list}?next_page=${token}&n=${size}>; rel="next"` }),
    });
    response.end(JSON.stringify({ name: 'team/tags', tags: tags.slice(from, from + size) }));
    return true;
  };
}

describe('a registry that pages its tags by tokens', () => {
  const tags = Array.from({ length: 95 }, (_, index) => `v${String(index).padStart(3, '0')}`);

  test.each([
    ['crane ls', crane],
    ['skopeo list-tags', skopeo],
  ])('is listed once by %s', async (_, open) => {
    stage.upstream.disguise = { respond: paged(tags, 10) };
    const client = await open();
    expect(await client.list('team/tags')).toEqual(tags);
  });
});

describe('a registry with a list of 8 MB', () => {
  const tags = Array.from({ length: 60_000 }, (_, index) => `v${index}-${'x'.repeat(120)}`);

  test.each([
    ['crane ls', crane],
    ['skopeo list-tags', skopeo],
  ])('is listed by %s', async (_, open) => {
    stage.upstream.disguise = { respond: paged(tags, tags.length) };
    const client = await open();
    const listed = await client.list('team/tags');
    expect([listed.length, new Set(listed).size, listed.at(-1)]).toEqual([tags.length, tags.length, tags.at(-1)]);
  });
});

describe('a registry that does not say by HEAD how large content is', () => {
  const lies: readonly (readonly [string, (headers: IncomingHttpHeaders) => IncomingHttpHeaders])[] = [
    ['0 bytes', (headers) => ({ ...headers, 'content-length': '0' })],
    ['nothing', ({ 'content-length': _, ...headers }) => headers],
  ];
  const lie = (say: (typeof lies)[number][1]) => {
    stage.upstream.disguise = { alter: ({ method }, headers) => (method === 'HEAD' ? say(headers) : headers) };
  };

  test.each(lies)('but %s, is pulled by containerd, again after a restart, and in an outage', async (_, say) => {
    lie(say);
    const client = await containerd();
    for (const image of smallImages()) await pull(client, image);
    for (const next of [() => stage.mirror.restartWithEverythingExpired(), () => stage.upstream.goDown()]) {
      await next();
      await client.wipe();
      for (const image of smallImages()) await pull(client, image);
    }
  });

  test.each(lies)('but %s, is pulled through a docker-registry in front of the mirror', async (_, say) => {
    lie(say);
    const front = await FrontRegistry.start(stage.scratch, stage.mirror);
    for (const image of smallImages()) expect(await front.validate(image)).toBe(image.digest);
  });
});

describe('a registry that labels OCI indexes as Docker lists', () => {
  const clients: readonly (readonly [string, () => Promise<Client>])[] = [
    ['containerd', containerd],
    ['crane', crane],
    ['skopeo', skopeo],
  ];
  test.each(clients)('is pulled from by %s', async (_, open) => {
    const { multi } = stage.images;
    stage.upstream.disguise = {
      alter: (_request, headers) =>
        headers['docker-content-digest'] === multi.digest ? { ...headers, 'content-type': dockerList } : headers,
    };
    const client = await open();
    await pull(client, multi);
    await stage.upstream.goDown();
    await client.wipe();
    await pull(client, multi);
  });
});

describe('an outage after a client has skipped a layer that it had from another image', () => {
  test('leaves that image complete for others', async () => {
    const { multi, schema2 } = stage.images;
    const first = await containerd();
    await pull(first, multi);
    await pull(first, schema2);
    const asked = async (digest: string) =>
      (await stage.mirror.log()).includes(`"repository":"${NAMESPACE}/${schema2.repository}","reference":"${digest}"`);
    // The premise: the client takes its own layers only.
    for (const digest of schema2.platforms[0]!.blobs)
      expect(await asked(digest)).toBe(!multi.platforms[0]!.blobs.includes(digest));
    await stage.upstream.goDown();
    await stage.mirror.restart();
    for (const open of [crane, skopeo]) await pull(await open(), schema2);
    await first.wipe();
    await pull(first, schema2);
  });
});
