import { hash as bcrypt } from 'bcryptjs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror, type MirrorOptions } from '../support/mirror.js';
import { ageBy, LaterClock } from './support/ageing.js';

let upstream: FakeRegistry;
beforeEach(async () => {
  upstream = await FakeRegistry.start();
  for (const name of ['team/app', 'team/app-b', 'team_x/app', 'zoo']) upstream.addImage(name, makeImage(), ['v1']);
});
afterEach(() => upstream[Symbol.asyncDispose]());

const names = ['team/app', 'team/app-b', 'team_x/app', 'zoo'];

async function start(options: MirrorOptions = {}, catalog: 'all' | 'hosted' = 'all'): Promise<Mirror> {
  const namespaces = ['registry.test', 'registry.test:5000'];
  const upstreams = namespaces.map((namespace) => ({ namespace, host: upstream.host }));
  const server = { allowAnonymousPush: true, catalog, ...options.server };
  return Mirror.start({ upstreams, hosted: [{ namespace: 'local' }, { namespace: 'z.test' }], ...options, server });
}

async function pullAll(mirror: Mirror, authorization = ''): Promise<void> {
  for (const namespace of ['registry.test', 'registry.test:5000'])
    for (const name of names) {
      const pull = mirror.request.get(`/v2/${namespace}/${name}/manifests/v1`);
      const { status } = await (authorization === '' ? pull : pull.set('authorization', authorization));
      expect(status).toBe(200);
    }
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
  for (const name of ['local/app', 'z.test/app']) {
    const put = mirror.request.put(`/v2/${name}/manifests/v1`).type(index.mediaType).send(JSON.stringify(index));
    const { status } = await (authorization === '' ? put : put.set('authorization', authorization));
    expect(status).toBe(201);
  }
  await mirror.settled();
}

const every = [
  'local/app',
  ...['registry.test/', 'registry.test:5000/'].flatMap((namespace) => names.map((name) => namespace + name)),
  'z.test/app',
];

async function pageOf(mirror: Mirror, query = '', authorization?: string) {
  const request = mirror.request.get(`/v2/_catalog${query}`);
  const response = await (authorization === undefined ? request : request.set('authorization', authorization));
  const { link } = response.headers as { link?: string };
  return { ...(response.body as { repositories: string[] }), next: /<\/v2\/_catalog([^>]*)>/.exec(link ?? '')?.[1] };
}

it('the catalog has no mirrored repositories by default', async () => {
  await using mirror = await start({}, 'hosted');
  await pullAll(mirror);
  expect((await pageOf(mirror)).repositories).toEqual(['local/app', 'z.test/app']);
});

it('with --catalog all, the catalog has mirrored repositories among the others, in byte order and paged', async () => {
  await using mirror = await start();
  expect((await pageOf(mirror)).repositories).toEqual([]);
  await pullAll(mirror);
  expect(await pageOf(mirror)).toEqual({ repositories: every, next: undefined });
  const seen: string[] = [];
  let next: string | undefined = '?n=3';
  while (next !== undefined) {
    const page: Awaited<ReturnType<typeof pageOf>> = await pageOf(mirror, next);
    expect(page.repositories.length).toBeLessThanOrEqual(3);
    seen.push(...page.repositories);
    next = page.next;
  }
  expect(seen).toEqual(every);
  expect((await pageOf(mirror, '?last=registry.test/team/app-a')).repositories).toEqual(every.slice(2));
  // A hosted namespace that is named has its own only.
  const own = await mirror.request.get('/v2/_catalog?ns=local');
  expect(own.body).toEqual({ repositories: ['app'] });
});

it('with --catalog all, the catalog needs no hosted namespace', async () => {
  await using mirror = await start({ hosted: [] });
  await mirror.request.get('/v2/registry.test/zoo/manifests/v1');
  await mirror.settled();
  expect((await pageOf(mirror)).repositories).toEqual(['registry.test/zoo']);
});

it('with --catalog all, the catalog has only what its reader may pull', async () => {
  await using folder = await Folder.make();
  await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\nbert:${await bcrypt('secret', 4)}\n`);
  const rules = `
  - { repositories: ['**'], who: ['user:anna'], may: [push] }
  - { repositories: ['registry.test/team/*', 'z.test/**'], who: ['user:bert'], may: [pull] }`;
  await using mirror = await start({ access: `users_file: ${folder.file('htpasswd')}\nrules:${rules}\n` });
  const as = (user: string) => `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`;
  await pullAll(mirror, as('anna'));
  expect((await pageOf(mirror, '', as('anna'))).repositories).toEqual(every);
  const visible = ['registry.test/team/app', 'registry.test/team/app-b', 'z.test/app'];
  expect((await pageOf(mirror, '', as('bert'))).repositories).toEqual(visible);
  const answer = await mirror.request.get('/token').query({ scope: 'registry:catalog:*' });
  const anonymous = `Bearer ${(answer.body as { token: string }).token}`;
  expect((await pageOf(mirror, '', anonymous)).repositories).toEqual([]);
});

it('with --catalog all, a sweep removes repositories that nothing is stored of', async () => {
  const clock = new LaterClock();
  await using mirror = await start({ clock });
  await pullAll(mirror);
  await rm(join(mirror.root, 'repositories/registry.test/zoo'), { recursive: true });
  const sweep = () => mirror.app.get(SweepService).run();
  await sweep();
  expect((await pageOf(mirror)).repositories).toEqual(every);
  await ageBy(join(mirror.root, 'mirrored'), 1);
  await sweep();
  expect((await pageOf(mirror)).repositories).toEqual(every.filter((name) => name !== 'registry.test/zoo'));
});
