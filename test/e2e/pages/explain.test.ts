import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ExplainService } from '../../../src/registry/explaining/explain.service.js';
import { MirroredExplainer } from '../../../src/registry/explaining/mirrored.explainer.js';
import { content, plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror, type MirrorOptions } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { basic, getPage, pageText, soundPage } from '../support/pages.js';

const image = makeImage({ layers: [100], seed: 'explained page' });
const { digest, body, mediaType } = image.manifest;
const manifest = content(body, { headers: { 'content-type': mediaType, 'docker-content-digest': digest } });
const names = ['open/app', 'team/app', 'secret/app'];

const linkTo = (ref: string, more: Record<string, string> = {}) =>
  `/_ui/explain?${new URLSearchParams({ ref, ...more }).toString()}`;
/** The text of a page without its markup. */
const wordsOf = (page: string) =>
  page
    .replace(/<head>.*?<\/head>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');

async function start(options: Omit<MirrorOptions, 'upstreams'> = {}) {
  const upstream = await ScriptedUpstream.start();
  for (const name of names)
    for (const reference of ['v1', digest]) upstream.on('*', `/v2/${name}/manifests/${reference}`, manifest);
  const clock = new MovingClock();
  const mirror = await Mirror.start({
    clock,
    ...options,
    upstreams: [
      { namespace: 'one.test', host: upstream.host },
      { namespace: 'private.test', host: upstream.host, username: 'robot', password: 'planted' },
    ],
  });
  const pull = async (name: string, reference = 'v1', user?: string) => {
    const sent = mirror.request.get(`/v2/${name}/manifests/${reference}`);
    return (await (user === undefined ? sent : sent.set('authorization', basic(user)))).status;
  };
  return {
    upstream,
    clock,
    mirror,
    pull,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

describe('the page that explains a pull', () => {
  it('shows a form first, also without JavaScript', async () => {
    await using scene = await start();
    const page = await pageText(scene.mirror, '/_ui/explain');
    expect(page).toContain('<form class="actions" method="get" action="/_ui/explain">');
    expect(page).not.toContain('The last pull');
  });

  it('says of a miss, a hit, a stale and a refused pull why they were so', async () => {
    await using scene = await start();
    const words = async () => wordsOf(await pageText(scene.mirror, linkTo('one.test/open/app:v1')));
    expect(await words()).toMatch(/The last pull unknown .* A pull now the registry decides .* GET http:/);
    await scene.pull('one.test/open/app');
    expect(await words()).toMatch(/The last pull miss .*A pull now hit .*fresh for 10 min by tag_ttl \(default\)/);
    await scene.pull('one.test/open/app');
    expect(await words()).toMatch(/The last pull hit .*Before that miss .*What is stored .*0 of 2/);
    scene.clock.pass(601);
    scene.upstream.on('*', '/v2/open/app/manifests/v1', plain(503, '', { 'retry-after': '60' }));
    await scene.pull('one.test/open/app');
    expect(await words()).toMatch(/The last pull stale .*A pull now stale .*HEAD to 127.* 503.*No HEAD is sent for/);
    scene.upstream.on('*', '/v2/open/app/manifests/v2', plain(404));
    scene.clock.pass(61);
    scene.upstream.on('*', '/v2/open/app/manifests/v1', manifest);
    await scene.pull('one.test/open/app');
    await scene.pull('one.test/open/app', 'v2');
    const refused = wordsOf(await pageText(scene.mirror, linkTo('one.test/open/app:v2')));
    expect(refused).toMatch(/The last pull refused .*MANIFEST_UNKNOWN.*A pull now refused .*remembered for another/);
    scene.upstream.reset();
    await words();
    expect(scene.upstream.requests).toEqual([]);
  });

  it('without an access file, has nothing of credentials and of what needed them', async () => {
    await using scene = await start();
    await scene.pull('private.test/open/app');
    expect((await getPage(scene.mirror, linkTo('private.test/open/app:v1'))).status).toBe(404);
    expect((await getPage(scene.mirror, linkTo('private.test/none:v1'))).status).toBe(404);
    expect(await pageText(scene.mirror, linkTo('one.test/open/app:v1'))).not.toContain('Access');
  });

  it('takes hostile references for what they are', async () => {
    await using scene = await start();
    const hostile = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'a/../b', '%00', 'x'.repeat(9_000)];
    for (const ref of hostile) {
      const reply = await getPage(scene.mirror, linkTo(ref));
      expect(reply.status).toBe(400);
      expect(soundPage(reply)).not.toMatch(/<script>|<img/);
    }
    const tag = `one.test/open/app:${'x'.repeat(128)}`;
    expect(await pageText(scene.mirror, linkTo(tag))).toContain(tag);
    for (const path of ['/_ui/explain?ref=a&ref=b', '/_ui/explain?ref[]=a', '/_ui/explain?as=x'])
      expect((await getPage(scene.mirror, path)).status).toBe(200);
    expect((await getPage(scene.mirror, '/_ui/explain%3Fref=a')).status).toBe(404);
    expect((await getPage(scene.mirror, '/%5Fui/explain?ref=a')).status).toBe(404);
  });
});

describe('by the rules of an access file', () => {
  let folder: Folder;
  let scene: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    folder = await Folder.make();
    const hash = await bcrypt('secret', 4);
    await writeFile(
      folder.file('htpasswd'),
      ['anna', 'bert', 'lena', 'root'].map((name) => `${name}:${hash}\n`).join(''),
    );
    const rules = `
  - { repositories: ['one.test/open/**'], who: [anonymous], may: [pull] }
  - { repositories: ['one.test/team/**', 'private.test/team/**'], who: ['user:anna', 'user:lena'], may: [pull] }
  - { repositories: ['*/team/**'], who: ['user:lena'], may: [admin] }
  - { repositories: ['**'], who: ['user:root'], may: [pull, admin] }`;
    scene = await start({ access: `users_file: ${folder.file('htpasswd')}\nrules:${rules}` });
    for (const name of ['open/app', 'team/app', 'secret/app']) await scene.pull(`one.test/${name}`, 'v1', 'root');
    await scene.pull('private.test/team/app', 'v1', 'root');
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const show = (name: string, user?: string, more: Record<string, string> = {}) =>
    getPage(scene.mirror, linkTo(`${name}:v1`, more), user === undefined ? {} : { authorization: basic(user) });

  it.each([
    ['one.test/open/app', [undefined, 'anna', 'bert', 'root']],
    ['one.test/team/app', ['anna', 'lena', 'root']],
    ['private.test/team/app', ['anna', 'lena', 'root']],
    ['one.test/secret/app', ['root']],
    ['one.test/team/nothing', ['anna', 'lena', 'root']],
  ])('%s is explained to %j and does not exist for others', async (name, allowed: readonly (string | undefined)[]) => {
    for (const user of [undefined, 'anna', 'bert', 'lena', 'root']) {
      const { status } = await show(name, user);
      const isAllowed = allowed.includes(user) || name === 'one.test/open/app';
      expect([user, status]).toEqual([user, isAllowed ? 200 : 404]);
    }
  });

  it('reads nothing for those who may not see it, so that no time tells that it is there', async () => {
    const explain = vi.spyOn(scene.mirror.app.get(ExplainService), 'explain');
    try {
      for (const name of ['one.test/secret/app', 'one.test/secret/nothing']) {
        expect((await show(name)).status).toBe(404);
        expect((await show(name, 'bert')).status).toBe(404);
      }
      expect(explain).not.toHaveBeenCalled();
      expect((await show('one.test/secret/app', 'root')).status).toBe(200);
      expect(explain).toHaveBeenCalledTimes(1);
    } finally {
      explain.mockRestore();
    }
  });

  it('readers see nothing of the registry, its credentials and who else may pull', async () => {
    for (const user of ['anna', 'lena', 'root']) {
      const words = wordsOf(soundPage(await show('private.test/team/app', user)));
      const isAdministrator = user !== 'anna';
      expect(words).toContain('A pull now hit');
      expect(words.includes('The registry')).toBe(isAdministrator);
      expect(words.includes('Who may pull it')).toBe(isAdministrator);
      expect(words.includes('user:lena')).toBe(isAdministrator);
      expect(words).not.toContain('planted');
    }
    const checked = wordsOf(soundPage(await show('one.test/team/app', 'root', { as: 'user:bert' })));
    expect(checked).toContain('denied user:bert');
    expect(wordsOf(soundPage(await show('one.test/team/app', 'anna', { as: 'user:bert' })))).not.toContain('denied');
    expect((await show('one.test/team/app', 'root', { as: 'x' })).status).toBe(400);
  });

  it('tells nobody what other repositories have, whoever knows a digest', async () => {
    const other = makeImage({ layers: [100], seed: 'only secret' });
    const headers = { 'content-type': mediaType, 'docker-content-digest': other.manifest.digest };
    scene.upstream.on(
      '*',
      `/v2/secret/app/manifests/${other.manifest.digest}`,
      content(other.manifest.body, { headers }),
    );
    expect(await scene.pull('one.test/secret/app', other.manifest.digest, 'root')).toBe(200);
    const layer = other.layers[0]!.digest.slice(0, 19);
    const shownTo = async (user: string | undefined, path: string) => {
      const options = user === undefined ? {} : { authorization: basic(user) };
      return (await getPage(scene.mirror, path, options)).body.toString();
    };
    const hex = other.manifest.digest.slice(7);
    // What differs between two digests, and between two moments.
    const withoutNames = (text: string) =>
      text
        .replaceAll(hex, '')
        .replaceAll(hex.slice(0, 12), '')
        .replace(/0{12,64}/g, '')
        .replace(/<time.*?<\/time>/g, '');
    const whole = linkTo(`one.test/team/app@${other.manifest.digest}`);
    expect(await shownTo('root', whole)).toContain('for another repository');
    expect(await shownTo('root', whole)).not.toContain(layer);
    for (const [user, path] of [
      ['anna', whole],
      ['lena', whole],
      [undefined, whole.replace('team', 'open')],
      ['lena', `/_admin${whole.slice('/_ui'.length)}`],
    ] as const) {
      const text = await shownTo(user, path);
      const absent = await shownTo(user, path.replace(hex, '0'.repeat(64)));
      expect(withoutNames(text)).toBe(withoutNames(absent));
      expect(text).not.toContain(layer);
    }
  });

  it('who was refused by the rules is named to administrators alone', async () => {
    expect(await scene.pull('one.test/team/app', 'v1', 'bert')).toBe(403);
    expect(wordsOf(soundPage(await show('one.test/team/app', 'root')))).toMatch(/The last pull refused .*user:bert/);
    const words = wordsOf(soundPage(await show('one.test/team/app', 'anna')));
    expect(words).toMatch(/The last pull miss/);
    expect(words).not.toContain('bert');
  });
});

describe('many explanations at once', () => {
  it('run two at a time, with a bound on those that wait', async () => {
    await using scene = await start();
    const explainer = scene.mirror.app.get(MirroredExplainer);
    const original = explainer.explain.bind(explainer);
    let [running, most] = [0, 0];
    let open: (value?: unknown) => void = () => undefined;
    const gate = new Promise((resolve) => (open = resolve));
    vi.spyOn(explainer, 'explain').mockImplementation(async (...args) => {
      most = Math.max(most, (running += 1));
      await gate;
      running -= 1;
      return original(...args);
    });
    let refused = 0;
    const pages = Array.from({ length: 40 }, async () => {
      const { status } = await getPage(scene.mirror, linkTo('one.test/open/app:v1'));
      if (status === 503) refused += 1;
      return status;
    });
    await vi.waitFor(() => expect(refused).toBe(6), 10_000);
    open();
    const statuses = await Promise.all(pages);
    expect(statuses.filter((status) => status === 200)).toHaveLength(34);
    expect(most).toBe(2);
    expect((await getPage(scene.mirror, linkTo('one.test/open/app:v1'))).status).toBe(200);
  });
});

describe('with the pages switched off', () => {
  it('there is none', async () => {
    await using scene = await start({ server: { statusPage: false } });
    expect((await getPage(scene.mirror, linkTo('one.test/open/app:v1'))).status).toBe(404);
  });
});
