import { describe, expect, it } from 'vitest';
import type { TagsBehaviour } from '../fakes/registry/behaviour.js';
import { plain, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { request, type Reply } from '../fakes/request.js';
import { makeImage } from '../fixtures/images.js';
import { Mirror } from './support/mirror.js';
import { Stage } from './support/stage.js';

const image = makeImage();
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `v${String(index).padStart(4, '0')}`);
const tagsOf = ({ body }: Reply) => (JSON.parse(body.toString()) as { tags: string[] }).tags;
const nextOf = ({ headers }: Reply) => /^<([^>]*)>; rel="next"$/.exec(String(headers.link))?.[1];

/** Follows the links from a list on. */
async function walk(url: string, start: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let next: string | undefined = start; next !== undefined;) {
    const reply: Reply = await request(`${url}${next}`);
    expect(reply.status, next).toBe(200);
    pages.push(tagsOf(reply));
    expect(pages.length).toBeLessThan(50);
    next = nextOf(reply);
  }
  return pages;
}

async function stageOf(count: number, tags: Partial<TagsBehaviour>): Promise<Stage> {
  const stage = await Stage.start({ registry: { tags } });
  stage.registry.addImage('team/app', image, namesOf(count));
  return stage;
}

const list = '/v2/registry.test/team/app/tags/list';

describe('a registry that refuses n above 100', () => {
  it.each([400, 405, 413, 422])('with %d is asked for 100, and clients get as many as they want', async (status) => {
    const names = namesOf(1_234);
    await using stage = await stageOf(names.length, { refuseAbove: 100, refusal: status });
    expect(await walk(stage.mirror.url, `${list}?n=1000`)).toEqual([names.slice(0, 1_000), names.slice(1_000)]);
    expect(await walk(stage.mirror.url, `${list}?n=250`)).toEqual(
      [0, 250, 500, 750, 1_000].map((from) => names.slice(from, from + 250)),
    );
    expect((await walk(stage.mirror.url, `${list}?n=60`))[0]).toEqual(names.slice(0, 60));
    // That it refuses more is known after the first.
    expect(stage.registry.requests.filter((each) => each.status === status)).toHaveLength(1);
  });

  it('is known by that for its other repositories, too', async () => {
    await using stage = await stageOf(10, { refuseAbove: 100, refusal: 413 });
    stage.registry.addImage('team/other', image, namesOf(150));
    expect(await walk(stage.mirror.url, `${list}?n=1000`)).toEqual([namesOf(10)]);
    expect(await walk(stage.mirror.url, `${list.replace('app', 'other')}?n=1000`)).toEqual([namesOf(150)]);
    expect(stage.registry.count({ status: 413 })).toBe(1);
  });

  it('and fails later on has the tags listed so far, with a link to the rest', async () => {
    await using stage = await stageOf(500, { refuseAbove: 100, refusal: 413 });
    let pages = 0;
    stage.registry.behaviour.before = ({ kind }, response) => {
      if (kind === 'tags' && (pages += 1) === 4) response.writeHead(500, { 'content-length': 0 }).end();
    };
    const first = await request(`${stage.mirror.url}${list}?n=1000`);
    expect([first.status, tagsOf(first)]).toEqual([200, namesOf(200)]);
    expect(nextOf(first)).toBe(`${list}?last=v0199&n=1000`);
  });

  it('is asked for 100 referrers, too', async () => {
    await using stage = await stageOf(1, {});
    stage.registry.behaviour.before = ({ kind, url }, response) => {
      if (kind === 'referrers' && url.endsWith('n=1000')) response.writeHead(413, { 'content-length': 0 }).end();
    };
    const path = `/v2/registry.test/team/app/referrers/${image.manifest.digest}`;
    expect(await request(`${stage.mirror.url}${path}?n=1000`)).toMatchObject({ status: 200 });
  });

  it('of every n is refused', async () => {
    await using stage = await stageOf(10, { refuseAbove: 50, refusal: 413 });
    expect(await request(`${stage.mirror.url}${list}?n=1000`)).toMatchObject({ status: 502 });
    expect(await request(`${stage.mirror.url}${list}?n=90`)).toMatchObject({ status: 502 });
    expect(stage.registry.count({ kind: 'tags' })).toBe(3);
  });
});

describe('a registry that sends more tags than n', () => {
  const names = namesOf(95);

  it.each([
    ['and knows neither n nor last', () => names],
    ['and knows last', (last: string) => names.filter((name) => name > last)],
    ['in an order of its own', () => names.toReversed()],
  ])('%s has its list cut and continued', async (_, answer) => {
    await using upstream = await ScriptedUpstream.start();
    const start = answer('');
    for (const last of ['', ...names]) {
      const pattern = last === '' ? /tags\/list\?n=\d+$/ : new RegExp(`last=${last}`);
      const body = JSON.stringify({ name: 'team/app', tags: answer(last) });
      upstream.on('GET', pattern, plain(200, body, { 'content-type': 'application/json' }));
    }
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const pages = await walk(mirror.url, `${list}?n=30`);
    expect(pages).toEqual([start.slice(0, 30), start.slice(30, 60), start.slice(60, 90), start.slice(90)]);
  });
});

describe('a registry that pages by tokens of its own and sends more than n', () => {
  it('has its pages passed on whole, since only its link leads on', async () => {
    const names = namesOf(30);
    await using upstream = await ScriptedUpstream.start();
    const page = (from: number, next: string | undefined) =>
      plain(200, JSON.stringify({ name: 'team/app', tags: names.slice(from, from + 10) }), {
        'content-type': 'application/json',
        ...(next !== undefined && { link: `</v2/team/app/tags/list?next_page=${next}>; rel="next"` }),
      });
    upstream.on('GET', /next_page=b/, page(20, undefined));
    upstream.on('GET', /next_page=a/, page(10, 'b'));
    upstream.on('GET', /last=/, plain(400, 'last is not known here'));
    upstream.on('GET', /tags\/list/, page(0, 'a'));
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    expect(await walk(mirror.url, `${list}?n=5`)).toEqual([names.slice(0, 10), names.slice(10, 20), names.slice(20)]);
  });
});
