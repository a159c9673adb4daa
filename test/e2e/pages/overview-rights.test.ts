import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { until } from '../support/until.js';

const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const mediaType = 'application/vnd.oci.image.index.v1+json';

let folder: Folder;
let upstreams: FakeRegistry[];
let mirror: Mirror;

/** Every identity pulls or pushes something, so that each repository is stored. */
beforeAll(async () => {
  folder = await Folder.make();
  upstreams = [await FakeRegistry.start(), await FakeRegistry.start()];
  for (const upstream of upstreams)
    for (const name of ['open/app', 'team/app', 'secret/app']) upstream.addImage(name, makeImage(), ['v1']);
  const hash = await bcrypt('secret', 4);
  await writeFile(
    folder.file('htpasswd'),
    ['anna', 'bert', 'carl', 'root'].map((name) => `${name}:${hash}\n`).join(''),
  );
  const [one, other] = upstreams.map(({ host }) => host);
  mirror = await Mirror.start({
    upstreams: [
      { namespace: 'one.test', host: one! },
      { namespace: 'other.test', host: other!, username: 'planted', password: 'planted' },
    ],
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
  for (const namespace of ['one.test', 'other.test'])
    for (const name of ['open/app', 'team/app', 'secret/app'])
      expect((await get(`/v2/${namespace}/${name}/manifests/v1`, basic('root'))).status).toBe(200);
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
  for (const name of ['team/app', 'home/bert/app', 'secret/app']) {
    const put = mirror.request.put(`/v2/local/${name}/manifests/v1`).set('authorization', basic('root'));
    expect((await put.type(mediaType).send(index)).status).toBe(201);
  }
  await until('the repositories are listed', async () => !(await page(basic('root'))).includes('Being listed'));
});
afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function get(path: string, authorization?: string) {
  const request = mirror.request.get(path).set('accept', 'text/html');
  return authorization === undefined ? request : request.set('authorization', authorization);
}

async function page(authorization?: string): Promise<string> {
  const { status, text } = await get('/', authorization);
  expect(status).toBe(200);
  return text.replaceAll('<wbr/>', '');
}

const everything = [
  ...['one.test', 'other.test'].flatMap((namespace) =>
    ['open', 'team', 'secret'].map((name) => `${namespace}/${name}/app`),
  ),
  ...['local/team/app', 'local/home/bert/app', 'local/secret/app'],
];
const registries = ['one.test', 'other.test', 'local'];
const named = (text: string, names: readonly string[]) => names.filter((name) => text.includes(`>${name}<`));

describe('the overview', () => {
  it.each([
    ['nobody', undefined, ['one.test/open/app'], ['one.test']],
    [
      'anna',
      basic('anna'),
      ['one.test/open/app', 'one.test/team/app', 'other.test/team/app', 'local/team/app'],
      registries,
    ],
    ['bert', basic('bert'), ['one.test/open/app', 'local/home/bert/app'], ['one.test', 'local']],
    ['carl, whom no rule names', basic('carl'), ['one.test/open/app'], ['one.test']],
  ])('shows what may be pulled, and nothing else: %s', async (_, authorization, repositories, known) => {
    const text = await page(authorization);
    expect(named(text, everything).sort()).toEqual([...repositories].sort());
    expect(named(text, registries).filter((name) => !known.includes(name))).toEqual([]);
    // What administrators see: the disk, the files of the access file, how much is hidden.
    expect(text).not.toMatch(/id="storage"|id="access"|\d+ private|htpasswd/);
  });

  it('shows administrators everything', async () => {
    const text = await page(basic('root'));
    expect(named(text, registries)).toEqual(expect.arrayContaining(['one.test', 'other.test']));
    expect(text).toMatch(/id="storage"/);
    expect(text).toMatch(/htpasswd/);
  });

  it('lets browsers sign in, and asks again after a wrong password', async () => {
    expect(await page()).toContain('href="/?sign-in"');
    for (const [path, authorization] of [
      ['/?sign-in', undefined],
      ['/?sign-in', basic('anna', 'wrong')],
      ['/', basic('anna', 'wrong')],
    ] as const) {
      const { status, headers } = await get(path, authorization);
      expect([status, (headers as Record<string, string>)['www-authenticate']]).toEqual([
        401,
        'Basic realm="oci-registry"',
      ]);
    }
    const back = await get('/?sign-in', basic('anna')).redirects(0);
    expect([back.status, (back.headers as Record<string, string>).location]).toEqual([303, '/']);
    expect(await page(basic('anna'))).toContain('Signed in as </span>user:anna');
  });

  it('does not show a download of what may not be pulled', async () => {
    const [one] = upstreams;
    const blob = makeBlob(2_000_000, 'slow');
    one!.addBlob('secret/app', blob);
    one!.addBlob('team/app', blob);
    one!.behaviour.bytesPerSecond = 1_000_000;
    const pull = get(`/v2/one.test/secret/app/blobs/${blob.digest}`, basic('root'))
      .buffer(true)
      .then(({ status }) => status);
    await until('it is on the page', async () => (await page(basic('root'))).includes('one.test/secret/app'));
    await until('it is downloaded', async () => (await page(basic('root'))).includes('Downloads in progress'));
    for (const authorization of [undefined, basic('anna'), basic('bert')])
      expect(await page(authorization)).not.toContain(blob.digest.slice(7, 19));
    expect(await pull).toBe(200);
  });

  it('is for those who sign in only, where nobody else may see anything', async () => {
    await using closed = await Mirror.start({
      access: `users_file: ${folder.file('htpasswd')}\nrules:\n  - { repositories: ['**'], who: ['user:anna'], may: [pull] }`,
    });
    const ask = (authorization?: string) => {
      const request = closed.request.get('/').set('accept', 'text/html');
      return authorization === undefined ? request : request.set('authorization', authorization);
    };
    expect((await ask()).status).toBe(401);
    expect((await ask(basic('bert'))).status).toBe(401);
    expect((await ask(basic('anna'))).status).toBe(200);
  });
});
