import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { basic, getPage, pageText } from '../support/pages.js';
import { until } from '../support/until.js';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const image = makeImage();
const names = ['open/app', 'team/app', 'secret/app'];
/** As the upstream of what needs credentials asks for them. */
const login = { username: 'planted', password: 'planted' };

const repositories = (text: string) =>
  [...text.matchAll(/>([a-z.]+\/[a-z]+\/(?:[a-z]+\/)?app)</g)].map(([, name]) => name!);
const registries = (text: string) => [...text.matchAll(/<option value="([^"]+)"/g)].map(([, name]) => name!);
const link = (page: string, query: Record<string, string>) => `/_ui/${page}?${new URLSearchParams(query).toString()}`;
/** Every page about one repository. */
const pagesOf = (name: string) => [
  link('repository', { name }),
  link('repository', { name, sort: 'time', q: 'v' }),
  link('image', { name, reference: 'v1' }),
  link('image', { name, reference: image.manifest.digest }),
  link('raw', { name, reference: 'v1' }),
  link('raw', { name, reference: image.manifest.digest }),
];
const withoutId = (text: string) => text.replace(/<code>[^<]+<\/code>/, '').replace(/value="[^"]*"/g, '');

async function startUpstreams(): Promise<[FakeRegistry, FakeRegistry]> {
  const upstreams = [await FakeRegistry.start(), await FakeRegistry.start()] as const;
  for (const upstream of upstreams) for (const name of names) upstream.addImage(name, image, ['v1']);
  return [...upstreams];
}

const upstreamsOf = ([one, other]: readonly [FakeRegistry, FakeRegistry]) => [
  { namespace: 'one.test', host: one.host },
  { namespace: 'other.test', host: other.host, ...login },
];

async function fill(mirror: Mirror, headers: Record<string, string> = {}): Promise<void> {
  for (const namespace of ['one.test', 'other.test'])
    for (const name of names) {
      const path = `/v2/${namespace}/${name}`;
      expect((await mirror.request.get(`${path}/manifests/v1`).set(headers)).status).toBe(200);
      expect((await mirror.request.get(`${path}/blobs/${image.config.digest}`).set(headers)).status).toBe(200);
    }
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
  for (const name of ['team/app', 'home/bert/app', 'secret/app']) {
    const put = mirror.request.put(`/v2/local/${name}/manifests/v1`).set(headers).type(mediaType).send(index);
    expect((await put).status).toBe(201);
  }
  await mirror.settled();
  const isListed = async () =>
    !(await getPage(mirror, '/_ui/repositories', { headers })).body.includes('is being listed');
  await until('the repositories are listed', isListed);
}

describe('by the rules of an access file', () => {
  let folder: Folder;
  let upstreams: [FakeRegistry, FakeRegistry];
  let mirror: Mirror;
  beforeAll(async () => {
    folder = await Folder.make();
    upstreams = await startUpstreams();
    const hash = await bcrypt('secret', 4);
    const users = ['anna', 'bert', 'root'].map((name) => `${name}:${hash}\n`).join('');
    await writeFile(folder.file('htpasswd'), users);
    mirror = await Mirror.start({
      upstreams: upstreamsOf(upstreams),
      hosted: [{ namespace: 'local' }],
      access: `
users_file: ${folder.file('htpasswd')}
rules:
  - { repositories: ['one.test/open/**'], who: [anonymous], may: [pull] }
  - { repositories: ['one.test/team/**', 'other.test/team/**', 'local/team/**'], who: ['user:anna'], may: [pull] }
  - { repositories: ['local/home/{user}/**'], who: ['user:bert'], may: [push] }
  - { repositories: ['**'], who: ['user:root'], may: [push, admin] }
`,
    });
    await fill(mirror, { authorization: basic('root') });
  });
  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const everything = [
    ...['home/bert/app', 'secret/app', 'team/app'].map((name) => `local/${name}`),
    ...['one.test', 'other.test'].flatMap((namespace) => [...names].sort().map((name) => `${namespace}/${name}`)),
  ];
  const visible: readonly (readonly [string | undefined, readonly string[]])[] = [
    [undefined, ['one.test/open/app']],
    ['anna', ['local/team/app', 'one.test/open/app', 'one.test/team/app', 'other.test/team/app']],
    ['bert', ['local/home/bert/app', 'one.test/open/app']],
    ['root', everything],
  ];

  it.each(visible)('%s sees repositories and registries that the rules allow, and no others', async (user, allowed) => {
    const options = user === undefined ? {} : { authorization: basic(user) };
    const seen = async (query: Record<string, string>) => pageText(mirror, link('repositories', query), options);
    const all = await seen({});
    expect(repositories(all)).toEqual(allowed);
    expect(registries(all)).toEqual([...new Set(allowed.map((name) => name.split('/')[0]))]);
    expect(repositories(await seen({ q: 'TEAM' }))).toEqual(allowed.filter((name) => name.includes('team')));
    expect(repositories(await seen({ namespace: 'local' }))).toEqual(
      allowed.filter((name) => name.startsWith('local/')),
    );
    expect(repositories(await seen({ last: 'one.test/open/app' }))).toEqual(
      allowed.filter((name) => name > 'one.test/open/app'),
    );
    for (const name of everything) {
      const isAllowed = allowed.includes(name);
      for (const path of pagesOf(name)) {
        const isOther = name.startsWith('local/') && path.includes('sha256');
        const { status } = await getPage(mirror, path, options);
        expect([path, status]).toEqual([path, isAllowed && !isOther ? 200 : 404]);
      }
    }
  });

  it('what may not be seen is as what does not exist', async () => {
    for (const path of pagesOf('one.test/secret/app')) {
      const hidden = await getPage(mirror, path);
      const absent = await getPage(mirror, path.replace('secret', 'nothing'));
      expect(withoutId(hidden.body.toString())).toBe(withoutId(absent.body.toString()).replace('nothing', 'secret'));
      expect(hidden.status).toBe(404);
    }
  });

  it('who has a wrong password, or may see nothing, has to sign in', async () => {
    const reply = await getPage(mirror, link('image', { name: 'one.test/open/app', reference: 'v1' }), {
      authorization: basic('anna', 'wrong'),
    });
    expect(reply.status).toBe(401);
  });

  it('looking asks no upstream', async () => {
    for (const upstream of upstreams) upstream.reset();
    for (const user of ['anna', 'root'])
      for (const name of ['one.test/team/app', 'one.test/nothing/app', 'never.test/team/app'])
        for (const path of [...pagesOf(name), ...pagesOf(name).map((each) => each.replace('v1', 'v2'))])
          await getPage(mirror, path, { authorization: basic(user) });
    expect(upstreams.map((upstream) => upstream.count())).toEqual([0, 0]);
  });

  it('what the upstream has refused since is shown to administrators alone', async () => {
    const name = 'other.test/team/app';
    const paths = pagesOf(name);
    const shown = async (user: string) =>
      Promise.all(paths.map(async (path) => (await getPage(mirror, path, { authorization: basic(user) })).status));
    expect(await shown('anna')).toEqual(paths.map(() => 200));
    upstreams[1].behaviour.access = { 'team/app': 'denied' };
    const pull = mirror.request.get(`/v2/${name}/manifests/v2`).set('authorization', basic('root'));
    expect((await pull).status).toBe(403);
    expect(await shown('anna')).toEqual(paths.map(() => 404));
    expect(await shown('root')).toEqual(paths.map(() => 200));
  });
});

it('without an access file, what was received with credentials is absent, and what was pushed is not', async () => {
  const upstreams = await startUpstreams();
  await using first = upstreams[0];
  await using second = upstreams[1];
  await using mirror = await Mirror.start({
    upstreams: upstreamsOf([first, second]),
    hosted: [{ namespace: 'local' }],
    server: { allowAnonymousPush: true },
  });
  await fill(mirror);
  const text = await pageText(mirror, '/_ui/repositories');
  const shown = [
    'local/home/bert/app',
    'local/secret/app',
    'local/team/app',
    ...[...names].sort().map((name) => `one.test/${name}`),
  ];
  expect(repositories(text)).toEqual(shown);
  expect(registries(text)).toEqual(['local', 'one.test']);
  for (const path of pagesOf('other.test/open/app')) expect((await getPage(mirror, path)).status).toBe(404);
  for (const path of pagesOf('one.test/open/app')) expect((await getPage(mirror, path)).status).toBe(200);
});

it('records that say so hide a repository after its credentials were removed', async () => {
  const upstreams = await startUpstreams();
  await using first = upstreams[0];
  await using second = upstreams[1];
  await using folder = await Folder.make();
  {
    await using mirror = await Mirror.start({
      root: folder.path,
      upstreams: upstreamsOf([first, second]),
      hosted: [{ namespace: 'local' }],
      server: { allowAnonymousPush: true },
    });
    await fill(mirror);
  }
  await using mirror = await Mirror.start({
    root: folder.path,
    upstreams: upstreamsOf([first, second]).map(({ namespace, host }) => ({ namespace, host })),
  });
  expect(registries(await pageText(mirror, '/_ui/repositories'))).toEqual(['local', 'one.test']);
  for (const path of pagesOf('other.test/open/app')) expect((await getPage(mirror, path)).status).toBe(404);
});

it('what was cached while a namespace was mirrored is absent when it is hosted', async () => {
  await using upstream = await FakeRegistry.start();
  for (const name of ['team/app', 'secret/app']) upstream.addImage(name, image, ['v1', 'v2']);
  await using folder = await Folder.make();
  {
    await using mirror = await Mirror.start({
      root: folder.path,
      upstreams: [{ namespace: 'local', host: upstream.host }],
    });
    for (const name of ['team/app', 'secret/app'])
      expect((await mirror.request.get(`/v2/local/${name}/manifests/v1`)).status).toBe(200);
  }
  await using mirror = await Mirror.start({
    root: folder.path,
    hosted: [{ namespace: 'local' }],
    server: { allowAnonymousPush: true },
  });
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
  expect((await mirror.request.put('/v2/local/team/app/manifests/v2').type(mediaType).send(index)).status).toBe(201);
  const text = await pageText(mirror, '/_ui/repositories');
  expect(repositories(text)).toEqual(['local/team/app']);
  expect(text).toContain('data-label="Tags"><span>–</span>');
  const tags = await pageText(mirror, link('repository', { name: 'local/team/app' }));
  expect([...tags.matchAll(/reference=([^"&]+)"/g)].map(([, tag]) => tag)).toEqual(['v2']);
  for (const path of pagesOf('local/secret/app')) expect((await getPage(mirror, path)).status).toBe(404);
  for (const reference of ['v1', image.manifest.digest])
    expect((await getPage(mirror, link('image', { name: 'local/team/app', reference }))).status).toBe(404);
});
