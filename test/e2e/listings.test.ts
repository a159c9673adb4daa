import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { plain, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { request, type Reply } from '../fakes/request.js';
import { fixtureMediaTypes, makeArtifact, makeImage } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Mirror } from './support/mirror.js';
import { rawRequest } from './support/raw.js';
import { Stage } from './support/stage.js';

const image = makeImage();
const tags = Array.from({ length: 25 }, (_, index) => `v1.${String(index).padStart(2, '0')}`);

async function stageWithTags(options: Parameters<typeof Stage.start>[0] = {}): Promise<Stage> {
  const stage = await Stage.start(options);
  stage.registry.addImage('team/app', image, tags);
  return stage;
}

const documentOf = ({ body }: Reply) => JSON.parse(body.toString()) as Record<string, unknown>;
/** The target of the link to the next page, which has to be relative: it holds behind any proxy. */
const nextOf = ({ headers }: Reply): string | undefined => {
  const link = headers.link;
  if (link === undefined) return undefined;
  return /^<(\/[^>]*)>; rel="next"$/.exec(String(link))![1];
};

describe('a tag list', () => {
  it('has the name without the registry, all tags, and HEAD has its headers', async () => {
    await using stage = await stageWithTags();
    const reply = await stage.get('team/app/tags/list');
    expect(documentOf(reply)).toEqual({ name: 'team/app', tags });
    expect(reply.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(reply.body.length),
      'oci-namespace': 'registry.test',
    });
    expect(reply.headers.link).toBeUndefined();
    const head = await stage.head('team/app/tags/list');
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([
      200,
      0,
      String(reply.body.length),
    ]);
  });

  it.each(['relative', 'absolute'] as const)('is walked page by page in every shape, with %s links', async (links) => {
    await using registry = await FakeRegistry.start({ tags: { links } });
    registry.addImage('team/app', image, tags);
    await using mirror = await Mirror.start({
      server: { defaultNamespace: 'registry.test' },
      upstreams: [{ namespace: 'registry.test', host: registry.host }],
    });
    const starts = [
      '/v2/team/app/tags/list?ns=registry.test&n=10',
      '/v2/registry.test/team/app/tags/list?n=10',
      '/registry.test/v2/team/app/tags/list?n=10&ns=registry.test',
      '/v2/registry.test/team/app/tags/list?n=10&ns=Registry.Test:443',
      '/v2/team/app/tags/list?n=10',
      '/v2/registry.test/te%61m/app/tags/list?n=10',
    ];
    for (const start of starts) {
      const pages: unknown[] = [];
      for (let next: string | undefined = start; next !== undefined;) {
        const reply: Reply = await request(`${mirror.url}${next}`);
        expect(reply.status, next).toBe(200);
        pages.push(documentOf(reply).tags);
        next = nextOf(reply);
        if (next === undefined) continue;
        const [from, to] = [start, next].map((target) => new URL(target, 'http://mirror'));
        expect([to!.pathname, to!.searchParams.get('ns')]).toEqual([from!.pathname, from!.searchParams.get('ns')]);
      }
      expect(pages, start).toEqual([tags.slice(0, 10), tags.slice(10, 20), tags.slice(20)]);
    }
  });

  it('has a link when the registry pages although nobody asked it to', async () => {
    await using stage = await stageWithTags({ registry: { tags: { pageSize: 20 } } });
    const reply = await stage.get('team/app/tags/list');
    expect(nextOf(reply)).toBe(`/v2/registry.test/team/app/tags/list?last=${tags[19]!}&n=20`);
  });

  it('has a relative link also for the absolute form of a request', async () => {
    await using stage = await stageWithTags();
    const reply = await rawRequest(stage.mirror.url, 'http://x.test:99/v2/registry.test/team/app/tags/list?n=1');
    expect(reply.headers.link).toBe(`</v2/registry.test/team/app/tags/list?last=${tags[0]!}&n=1>; rel="next"`);
  });

  it('passes the whole query on but for our ns, because registries page by parameters of their own', async () => {
    await using stage = await stageWithTags();
    const last = encodeURIComponent('a b&c=d/é');
    await stage.get(`team/app/tags/list?n=3&last=${last}&ns=registry.test&next_page=a%26b%3D`);
    const { searchParams } = new URL(stage.registry.requests[0]!.url, 'http://registry');
    expect(Object.fromEntries(searchParams)).toEqual({ n: '3', last: 'a b&c=d/é', next_page: 'a&b=' });
  });

  it.each([
    ['tags', 'tags/list', 'next_page', 'application/json', (page: string) => ({ name: 'team/app', tags: [page] })],
    [
      'referrers',
      `referrers/${image.manifest.digest}`,
      'nextToken',
      'application/vnd.oci.image.index.v1+json',
      (page: string) => ({ schemaVersion: 2, manifests: [], annotations: { page } }),
    ],
  ])('is walked by the page tokens of a registry: %s', async (_, path, parameter, type, document) => {
    await using upstream = await ScriptedUpstream.start();
    const answer = (page: string, link?: string) =>
      plain(200, JSON.stringify(document(page)), { 'content-type': type, ...(link !== undefined && { link }) });
    const target = `/v2/team/app/${path}`;
    upstream.on('GET', new RegExp(`${parameter}=T%2F2`), answer('last'));
    upstream.on('GET', /./, answer('first', `<${target}?${parameter}=T%2F2&n=10&ns=elsewhere.test>; rel="next"`));
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const start = `${target}?n=10&ns=registry.test`;
    const first = await request(`${mirror.url}${start}`);
    const next = nextOf(first);
    expect(next).toBe(`${target}?${parameter}=T%2F2&n=10&ns=registry.test`);
    const last = await request(`${mirror.url}${next}`);
    expect([first.body, last.body].map((body) => JSON.parse(body.toString()) as unknown)).toEqual([
      document('first'),
      document('last'),
    ]);
    expect(nextOf(last)).toBeUndefined();
  });

  it('takes tokens of 1,500 characters, and refuses a query that is longer than any of a registry', async () => {
    await using stage = await stageWithTags();
    const asked = (length: number) => stage.get(`team/app/tags/list?next_page=${'t'.repeat(length)}`);
    expect((await asked(1_500)).status).toBe(200);
    const { status, body } = await asked(1_600);
    expect([status, body.toString()]).toEqual([400, expect.stringContaining('longer than 1536 characters')]);
    expect(stage.asked).toEqual(['GET tags']);
  });

  it('goes on after a tag', async () => {
    await using stage = await stageWithTags();
    const reply = await stage.get(`team/app/tags/list?last=${tags[21]!}`);
    expect(documentOf(reply).tags).toEqual(tags.slice(22));
  });

  it.each([false, true])('of nothing is what n=0 asks for; the registry has no limit then: %s', async (zeroIsAll) => {
    await using stage = await stageWithTags({ registry: { tags: { zeroIsAll } } });
    const reply = await stage.get('team/app/tags/list?n=0');
    expect([reply.status, documentOf(reply).tags, reply.headers.link]).toEqual([200, [], undefined]);
    expect((await stage.get('team/none/tags/list?n=0')).status).toBe(404);
  });

  it.each(['abc', '-1', '1.5', '', '1e3', '0x10', '9999999999999999', '%201'])(
    'is refused when n is "%s", and the registry is not asked',
    async (n) => {
      await using stage = await stageWithTags();
      expectError(await stage.get(`team/app/tags/list?n=${n}`), 400, 'REQUEST_INVALID');
      expect(stage.asked).toEqual([]);
    },
  );

  it('has at most 1000 tags a page', async () => {
    await using stage = await stageWithTags({ registry: { tags: { refuseAbove: 1000 } } });
    const reply = await stage.get('team/app/tags/list?n=5000');
    expect(documentOf(reply).tags).toEqual(tags);
    expect(stage.registry.requests[0]!.url).toBe('/v2/team/app/tags/list?n=1000');
  });

  it('is empty where the registry says null', async () => {
    await using stage = await Stage.start({
      registry: {
        before: (_, response) => void response.writeHead(200).end(JSON.stringify({ name: 'team/app', tags: null })),
      },
    });
    expect(documentOf(await stage.get('team/app/tags/list'))).toEqual({ name: 'team/app', tags: [] });
  });

  it.each([
    ['HTML', '<!doctype html><p>Sign in'],
    ['another document', '{"repositories":[]}'],
    ['tags that are no texts', '{"name":"team/app","tags":[1,2]}'],
    ['nothing', ''],
  ])('is 502 when the registry sends %s', async (_, body) => {
    await using stage = await Stage.start({
      registry: { before: (_request, response) => void response.writeHead(200).end(body) },
    });
    expectError(await stage.get('team/app/tags/list'), 502, 'UPSTREAM_ERROR');
  });

  it('of a repository that is not there is 404', async () => {
    await using stage = await stageWithTags();
    expectError(await stage.get('team/absent/tags/list'), 404, 'NAME_UNKNOWN');
  });
});

describe('referrers', () => {
  const signature = makeArtifact(image, { artifactType: 'application/vnd.example.signature' });
  const report = makeArtifact(image, { artifactType: 'application/vnd.example.sbom+json' });
  const path = `team/app/referrers/${image.manifest.digest}`;

  async function stageWithReferrers(options: Parameters<typeof Stage.start>[0] = {}): Promise<Stage> {
    const stage = await stageWithTags(options);
    for (const artifact of [signature, report]) stage.registry.addImage('team/app', artifact);
    return stage;
  }
  const digestsOf = (reply: Reply) => (documentOf(reply).manifests as { digest: string }[]).map(({ digest }) => digest);

  it('are those of the registry, as an index', async () => {
    await using stage = await stageWithReferrers();
    const reply = await stage.get(path);
    expect(reply.headers).toMatchObject({
      'content-type': fixtureMediaTypes.ociIndex,
      'content-length': String(reply.body.length),
      'oci-namespace': 'registry.test',
    });
    expect(reply.headers['oci-filters-applied']).toBeUndefined();
    expect(documentOf(reply)).toMatchObject({ schemaVersion: 2, mediaType: fixtureMediaTypes.ociIndex });
    expect(digestsOf(reply)).toEqual([signature.manifest.digest, report.manifest.digest]);
    const head = await stage.head(path);
    expect([head.status, head.body.length, head.headers['content-type']]).toEqual([200, 0, fixtureMediaTypes.ociIndex]);
  });

  it('of one artifact type are filtered by the registry, and the answer says so', async () => {
    await using stage = await stageWithReferrers();
    for (const [artifact, type] of [
      [signature, 'application/vnd.example.signature'],
      [report, 'application/vnd.example.sbom+json'],
    ] as const) {
      const reply = await stage.get(`${path}?artifactType=${encodeURIComponent(type)}`);
      expect(digestsOf(reply)).toEqual([artifact.manifest.digest]);
      expect(reply.headers['oci-filters-applied']).toBe('artifactType');
    }
    const other = await stage.get(`${path}?artifactType=application/none`);
    expect([other.status, digestsOf(other)]).toEqual([200, []]);
  });

  it('of what nothing refers to are an empty index', async () => {
    await using stage = await stageWithReferrers();
    const reply = await stage.get(`team/app/referrers/${signature.manifest.digest}`);
    expect([reply.status, digestsOf(reply)]).toEqual([200, []]);
  });

  it('are 404 where the registry does not have the endpoint, so that clients look for the tag', async () => {
    await using stage = await stageWithReferrers({ registry: { referrers: 'missing' } });
    expectError(await stage.get(path), 404, 'MANIFEST_UNKNOWN');
    const head = await stage.head(path);
    expect([head.status, head.body.length]).toEqual([404, 0]);
  });

  it.each([
    ['a page with 200', 200, 'text/html', '<p>Welcome'],
    ['a redirect to nowhere', 303, 'text/plain', ''],
    ['400', 400, 'text/plain', 'bad request'],
    ['405', 405, 'text/plain', 'not allowed'],
    ['406', 406, 'text/plain', 'not acceptable'],
  ])('are 404 where the registry answers the endpoint with %s', async (_, status, type, body) => {
    await using stage = await Stage.start({
      registry: { before: (_request, response) => void response.writeHead(status, { 'content-type': type }).end(body) },
    });
    expectError(await stage.get(path), 404, 'MANIFEST_UNKNOWN');
  });
});
