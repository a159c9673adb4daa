import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../fixtures/images.js';
import { AdminAddress, warm } from './admin/support.js';
import { until } from './support/until.js';
import { Stage } from './support/stage.js';

const image = makeImage({ layers: [1_000] });

/** A mirror that has pulled one image, and its admin address. */
async function pulled(maxSize?: number) {
  const stage = await Stage.start({ server: maxSize === undefined ? {} : { maxSize } });
  stage.registry.addImage('team/app', image, ['1.0']);
  const admin = await AdminAddress.open(stage);
  const { events } = await warm(admin.url, { images: ['registry.test/team/app:1.0', 'registry.test/team/app:absent'] });
  await stage.mirror.settled();
  return {
    stage,
    admin,
    events,
    get: async (path: string) => (await admin.request.get(path).expect(200)).body as object,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
    },
  };
}

/** The row of docs/admin.md's table that begins with a request. */
async function row(request: string): Promise<string> {
  const page = await readFile('docs/admin.md', 'utf8');
  return page
    .split('\n')
    .find((line) => line.startsWith(`| \`${request}`))!
    .split(' | ')
    .slice(1)
    .join(' | ');
}

/** The names in quotes of the first JSON of a text; an optional one has a question mark. */
const named = (text: string) =>
  [.../`[^`]*`/.exec(text)![0].matchAll(/"(\w+)"(\??)/g)].map(([, name = '', optional]) => `${name}${optional}`);

describe('docs/admin.md', () => {
  it('has the fields of the usage, with a quota and without', async () => {
    const documented = named(await row('GET /_admin/usage'));
    for (const quota of [undefined, 1_000_000_000]) {
      await using all = await pulled(quota);
      const body = await all.get('/_admin/usage');
      const fields = documented.filter((name) => quota !== undefined || !name.endsWith('?'));
      expect(Object.keys(body).sort()).toEqual(fields.map((name) => name.replace('?', '')).sort());
    }
  });

  it('has the fields of a repository, streamed and in pages', async () => {
    await using all = await pulled();
    const [list = '', ...documented] = named(await row('GET /_admin/repositories`'));
    expect(list).toBe('repositories');
    for (const query of ['', '?n=100']) {
      const body = await all.get(`/_admin/repositories${query}`);
      const { repositories } = body as { repositories: object[] };
      expect(Object.keys(body)).toEqual([list]);
      expect(repositories.map((repository) => Object.keys(repository))).toEqual([documented]);
    }
  });

  it('has the fields of a removal, and those of the events of a warm', async () => {
    await using all = await pulled();
    const removed = await all.admin.request.delete('/_admin/registry.test/team/app/manifests/1.0').expect(200);
    expect(Object.keys(removed.body as object)).toEqual(
      named(await row('DELETE /_admin/<image>/manifests/<reference>`')),
    );
    const text = (await row('POST /_admin/warm')).split('per line: ')[1] ?? '';
    const documented = [...text.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    const seen = new Set(all.events.flatMap((event) => Object.keys(event)));
    // A single image has no platform.
    expect([...seen, 'platform'].sort()).toEqual([...documented].sort());
    const states = /`state` is ([^;]+);/.exec(await readFile('docs/admin.md', 'utf8'))?.[1] ?? '';
    for (const { state } of all.events) expect(states).toContain(`\`${state}\``);
  });

  it('has what the status of a sweep and of a scrub begins with', async () => {
    await using all = await pulled();
    const documented = [...(await row('GET /_admin/sweep`')).matchAll(/`(\w+)`/g)].map(([, name]) => name);
    for (const job of ['sweep', 'scrub']) {
      await all.admin.request.post(`/_admin/${job}`).expect(202);
      await until(`the ${job} has ended`, async () => {
        return !((await all.get(`/_admin/${job}`)) as { running: boolean }).running;
      });
      expect(Object.keys(await all.get(`/_admin/${job}`))).toEqual(expect.arrayContaining(documented));
    }
  });
});

describe('docs/operating.md', () => {
  it('shows the fields of a log line', async () => {
    const page = await readFile('docs/operating.md', 'utf8');
    const example = JSON.parse(/```json\n(.*?)```/s.exec(page)![1]!) as object;
    await using all = await pulled();
    await all.stage.get(`team/app/blobs/${image.layers[0]!.digest}`);
    await until('the line is there', () => all.stage.mirror.log.includes('"GET"'));
    const line = all.stage.mirror.log.split('\n').find((text) => text.includes('"GET"'))!;
    expect(Object.keys(JSON.parse(line) as object).sort()).toEqual(Object.keys(example).sort());
  });

  it('shows the headers of a response', async () => {
    const page = await readFile('docs/operating.md', 'utf8');
    const table = /Response headers:\n\n(.*?)\n\n/s.exec(page)![1]!;
    const documented = [...table.matchAll(/^\| `([A-Za-z-]+)`/gm)].map(([, name = '']) => name.toLowerCase());
    await using all = await pulled();
    const { headers } = await all.stage.get('team/app/manifests/1.0');
    expect(documented.length).toBeGreaterThan(3);
    expect(documented.filter((name) => headers[name] === undefined)).toEqual([]);
  });
});
