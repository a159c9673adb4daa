import { once } from 'node:events';
import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';
import { AdminAddress, warm } from './support.js';

interface Repository {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
}

interface HttpResponse<T> {
  readonly body: T;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

async function warmed(names: readonly string[]) {
  const stage = await Stage.start();
  const admin = await AdminAddress.open(stage);
  for (const name of names) stage.registry.addImage(name, makeImage({ seed: name, layers: [1_000, 2_000] }), ['1.0']);
  await warm(admin.url, { images: names.map((name) => `registry.test/${name}:1.0`) });
  await stage.mirror.settled();
  return {
    stage,
    admin,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
    },
  };
}

describe('DELETE', () => {
  it.each([
    ['host in the path', '/_admin/registry.test/team/app', ''],
    ['host in the query', '/_admin/team/app', '?ns=registry.test'],
    ['both', '/_admin/registry.test/team/app', '?ns=registry.test'],
    ['another spelling', '/_admin/REGISTRY.test./team/app', ''],
  ])('removes a tag and a blob: %s', async (_, path, query) => {
    await using all = await warmed(['team/app', 'team/other']);
    const { stage, admin } = all;
    const layer = makeImage({ seed: 'team/app', layers: [1_000, 2_000] }).layers[0]!;
    const asked = stage.asked.length;
    const removed = await admin.request.delete(`${path}/manifests/1.0${query}`).expect(200);
    expect(removed.body).toEqual({ removed: 'registry.test/team/app:1.0' });
    await admin.request.delete(`${path}/manifests/1.0${query}`).expect(404);
    await admin.request.delete(`${path}/blobs/${layer.digest}${query}`).expect(200);
    await admin.request.delete(`${path}/blobs/${layer.digest}${query}`).expect(404);
    expect(stage.asked.length).toBe(asked);
    expect((await stage.get('team/app/manifests/1.0')).headers['x-cache']).not.toBe('HIT');
    expect((await stage.get(`team/app/blobs/${layer.digest}`)).headers['x-cache']).not.toBe('HIT');
    expect((await stage.get('team/other/manifests/1.0')).headers['x-cache']).toBe('HIT');
  });
});

describe('GET /_admin/repositories', () => {
  const names = ['a/one', 'b', 'c/x/y', 'c/x', 'd'];

  it('lists what is stored', async () => {
    await using all = await warmed(names);
    const response = await all.admin.request.get('/_admin/repositories').expect(200);
    const { repositories } = response.body as { repositories: Repository[] };
    expect(repositories.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const repository of repositories)
      expect(repository).toMatchObject({ namespace: 'registry.test', manifests: 1, blobs: 3 });
  });

  it('gives pages in the order of names', async () => {
    await using all = await warmed(names);
    const seen: string[][] = [];
    let path = '/_admin/repositories?n=2';
    while (path !== '') {
      const { body, headers } = (await all.admin.request.get(path).expect(200)) as HttpResponse<{
        repositories: Repository[];
      }>;
      seen.push(body.repositories.map(({ name }) => name));
      path = /^<([^>]+)>; rel="next"$/.exec(headers.link ?? '')?.[1] ?? '';
    }
    expect(seen).toEqual([['a/one', 'b'], ['c/x', 'c/x/y'], ['d']]);
  });

  it.each(['n=x', 'n=-1', 'n=0', 'n=1&n=2', 'last=a&last=b'])('refuses %s', async (query) => {
    await using all = await warmed([]);
    await all.admin.request.get(`/_admin/repositories?${query}`).expect(400);
  });

  it('is an empty list of an empty store', async () => {
    await using all = await warmed([]);
    expect((await all.admin.request.get('/_admin/repositories').expect(200)).body).toEqual({ repositories: [] });
    expect((await all.admin.request.get('/_admin/repositories?n=5').expect(200)).body).toEqual({ repositories: [] });
  });

  it('does not mind a client that leaves', async () => {
    await using all = await warmed(names);
    const sent = http.get(`${all.admin.url}/_admin/repositories`, { agent: false });
    sent.on('error', () => undefined);
    await once(sent, 'response');
    sent.destroy();
    await all.stage.mirror.settled();
    expect(all.stage.mirror.log).not.toContain('"level":50');
  });
});

describe('GET /_admin/usage', () => {
  it('counts what is stored', async () => {
    await using all = await warmed(['team/app']);
    const { body } = (await all.admin.request.get('/_admin/usage').expect(200)) as HttpResponse<{ bytes: number }>;
    expect(body).toMatchObject({ objects: 4, damaged: 0 });
    expect(body.bytes).toBeGreaterThan(3_000);
  });
});

describe.each(['sweep', 'scrub'])('/_admin/%s', (work) => {
  it('begins, and tells how it goes', async () => {
    await using all = await warmed(['team/app']);
    const { request } = all.admin;
    const before = await request.get(`/_admin/${work}`).expect(200);
    expect(before.body).toMatchObject({ running: false });
    const begun = await request.post(`/_admin/${work}`).expect(202);
    expect(begun.body).toMatchObject({ running: true });
    await until('it has ended', async () => {
      const { body } = (await request.get(`/_admin/${work}`)) as HttpResponse<{ running: boolean }>;
      return !body.running;
    });
    const { body } = (await request.get(`/_admin/${work}`)) as HttpResponse<{ last: { seen: number } }>;
    expect(body).toMatchObject({ running: false, last: { failed: 0, damaged: 0 } });
    expect(body.last.seen).toBeGreaterThanOrEqual(4);
  });
});
