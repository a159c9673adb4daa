import { hash as bcrypt } from 'bcryptjs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { content, plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { makeImage } from '../../fixtures/images.js';
import { AdminAddress, plantDamaged } from '../admin/support.js';
import { Folder } from '../support/folder.js';
import { Mirror, type MirrorOptions } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { basic, soundPage } from '../support/pages.js';
import { until } from '../support/until.js';
import { Browser, formOf, type Form } from '../support/page-forms.js';

const image = makeImage({ layers: [100], seed: 'acted on' });
const { digest, body, mediaType } = image.manifest;
const manifest = content(body, { headers: { 'content-type': mediaType, 'docker-content-digest': digest } });
const index = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';
const mirrored = 'registry.test/team/app:v1';
const actionOf = (verb: string, ref: string) => `/_ui/actions/${verb}?${new URLSearchParams({ ref }).toString()}`;

async function start(options: Omit<MirrorOptions, 'upstreams'> = {}) {
  const upstream = await ScriptedUpstream.start();
  for (const name of ['team/app', 'open/app']) {
    for (const reference of ['v1', digest]) upstream.on('*', `/v2/${name}/manifests/${reference}`, manifest);
    for (const each of [image.config, ...image.layers])
      upstream.on('*', `/v2/${name}/blobs/${each.digest}`, content(each.body));
  }
  const clock = new MovingClock();
  const upstreams = [{ namespace: 'registry.test', host: upstream.host }];
  const mirror = await Mirror.start({ clock, hosted: [{ namespace: 'local' }], ...options, upstreams });
  return {
    upstream,
    clock,
    mirror,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

describe('by the rules of an access file', () => {
  let folder: Folder;
  let scene: Awaited<ReturnType<typeof start>>;
  const browserOf = (user?: string) => new Browser(scene.mirror.url, user === undefined ? undefined : basic(user));
  const pull = async (name = 'registry.test/team/app', reference = 'v1') =>
    scene.mirror.request.get(`/v2/${name}/manifests/${reference}`).set('authorization', basic('root'));
  const push = async (name: string, tag = 'v1') =>
    scene.mirror.request
      .put(`/v2/${name}/manifests/${tag}`)
      .set('authorization', basic('root'))
      .type('application/vnd.oci.image.index.v1+json')
      .send(index)
      .expect(201);
  const audit = async () => {
    const lines = (await readFile(folder.file('audit'), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  beforeAll(async () => {
    folder = await Folder.make();
    const hash = await bcrypt('secret', 4);
    const users = ['anna', 'lena', 'dora', 'root'].map((name) => `${name}:${hash}\n`).join('');
    await writeFile(folder.file('htpasswd'), users);
    const rules = `
  - { repositories: ['*/open/**'], who: [anonymous], may: [pull] }
  - { repositories: ['*/team/**'], who: [authenticated], may: [pull] }
  - { repositories: ['*/team/**'], who: ['user:lena'], may: [admin] }
  - { repositories: ['local/team/**'], who: ['user:dora'], may: [delete] }
  - { repositories: ['**'], who: ['user:root'], may: [push, delete, admin] }`;
    const access = `users_file: ${folder.file('htpasswd')}\naudit_log: ${folder.file('audit')}\nrules:${rules}`;
    scene = await start({ access, server: { sweepInterval: 0 } });
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it('an administrator evicts, after a confirmation, and it is in the audit log', async () => {
    await pull();
    const browser = browserOf('lena');
    const page = await browser.get(actionOf('evict', mirrored));
    expect(page.status).toBe(200);
    expect(soundPage(page)).toContain('Evict?');
    expect((await pull()).headers).toMatchObject({ 'x-cache': 'HIT' });
    const done = await browser.post(formOf(page));
    expect(done.status).toBe(303);
    const result = await browser.get(done.headers.location!);
    expect(soundPage(result)).toContain('It is evicted');
    expect((await pull()).headers).toMatchObject({ 'x-cache': 'MISS' });
    const about = { repository: 'registry.test/team/app', reference: 'v1' };
    const entry = { action: 'evict', subject: 'user:lena', ...about, rule: 2 };
    expect(await audit()).toContainEqual(expect.objectContaining({ ...entry, allowed: true }));
    expect(scene.mirror.log).toContain('evict of registry.test/team/app:v1 by user:lena');
  });

  it('an administrator refreshes a tag, and is told of a refusal', async () => {
    await pull();
    const browser = browserOf('lena');
    const refresh = async () => browser.post(formOf(await browser.get(actionOf('refresh', mirrored))));
    const done = await refresh();
    expect(soundPage(await browser.get(done.headers.location!))).toContain(`The tag still names ${digest}`);
    scene.upstream.on('*', '/v2/team/app/manifests/v1', plain(503));
    expect((await refresh()).status).toBe(503);
    scene.upstream.on('*', '/v2/team/app/manifests/v1', manifest);
    expect(await audit()).toContainEqual(expect.objectContaining({ action: 'refresh', allowed: true, rule: 2 }));
    const refused = (await audit()).find(({ action, allowed }) => action === 'refresh' && allowed === false);
    expect(refused).toBeDefined();
    expect(refused).not.toHaveProperty('rule');
    scene.clock.pass(120);
  });

  it('who may delete deletes a hosted tag, and nothing else', async () => {
    await push('local/team/app');
    const browser = browserOf('dora');
    expect((await browser.get(actionOf('evict', mirrored))).status).toBe(404);
    const done = await browser.post(formOf(await browser.get(actionOf('delete', 'local/team/app:v1'))));
    expect(soundPage(await browser.get(done.headers.location!))).toContain('It is deleted');
    expect((await pull('local/team/app')).status).toBe(404);
    expect(await audit()).toContainEqual(expect.objectContaining({ action: 'delete', subject: 'user:dora', rule: 3 }));
  });

  it('readers get no form, and what they send does nothing', async () => {
    await push('local/team/app');
    await pull();
    const root = browserOf('root');
    for (const user of [undefined, 'anna']) {
      const browser = browserOf(user);
      for (const [verb, ref] of [
        ['evict', mirrored],
        ['refresh', mirrored],
        ['delete', 'local/team/app:v1'],
      ] as const) {
        expect((await browser.get(actionOf(verb, ref))).status).toBe(404);
        const form = formOf(await root.get(actionOf(verb, ref)));
        // Even with the form and the cookie of somebody who may.
        expect((await browser.post(form, { cookie: root.cookie })).status).toBe(404);
      }
      for (const path of ['', '/warm', '/sweep', '/gc', '/job?id=1'])
        expect((await browser.get(`/_ui/actions${path}`)).status).toBe(404);
      const sweep = formOf(await root.get('/_ui/actions/sweep'));
      expect((await browser.post(sweep, { cookie: root.cookie })).status).toBe(404);
    }
    const explained = soundPage(await browserOf('anna').get(`/_ui/explain?ref=${mirrored}`));
    expect(explained).not.toContain('/_ui/actions');
    expect(soundPage(await root.get(`/_ui/explain?ref=${mirrored}`))).toContain('/_ui/actions/evict');
    expect((await pull()).headers).toMatchObject({ 'x-cache': 'HIT' });
    expect((await pull('local/team/app')).status).toBe(200);
    const refused = { action: 'evict', subject: 'user:anna', allowed: false, refusal: 'no right to do it' };
    expect(await audit()).toContainEqual(expect.objectContaining(refused));
    // Of one repository only.
    const lena = browserOf('lena');
    expect((await lena.get(actionOf('evict', 'registry.test/open/app:v1'))).status).toBe(404);
    expect((await lena.get('/_ui/actions/sweep')).status).toBe(404);
    expect((await lena.get(actionOf('delete', 'local/team/app:v1'))).status).toBe(404);
  });

  describe('a form', () => {
    let browser: Browser;
    let form: Form;
    beforeAll(async () => {
      await pull();
      browser = browserOf('root');
      form = formOf(await browser.get(actionOf('evict', mirrored)));
    });
    const isThere = async () => (await pull()).headers as Record<string, string>;

    it.each([
      ['from a page of another site', {}, { origin: 'http://evil.example' }],
      ['from a sandboxed page', {}, { origin: 'null' }],
      ['across sites', {}, { 'sec-fetch-site': 'cross-site' }],
      ['from another port', {}, { 'sec-fetch-site': 'same-site' }],
      ['without the cookie', {}, { cookie: '' }],
      ['without the token of the browser', { csrf: undefined }, {}],
      ['without the proof', { proof: undefined }, {}],
      ['with a changed proof', { proof: 'zzzzzzzzz.x' }, {}],
      ['for another image', { ref: 'registry.test/team/app:v2' }, {}],
    ])('does nothing %s', async (_, change: Record<string, string | undefined>, headers) => {
      const reply = await browser.post({ ...form, fields: { ...form.fields, ...change } }, headers);
      expect(reply.status).toBe(403);
      expect((await isThere())['x-cache']).toBe('HIT');
    });

    it('does nothing for another action', async () => {
      const refresh = { ...form, action: '/_ui/actions/refresh' };
      expect((await browser.post(refresh)).status).toBe(403);
      const sweep = formOf(await browser.get('/_ui/actions/sweep'));
      const taken = { ...form, fields: { ...form.fields, proof: sweep.fields.proof } };
      expect((await browser.post(taken)).status).toBe(403);
      const collect = formOf(await browser.get('/_ui/actions/gc'));
      expect((await browser.post({ ...collect, fields: { ...collect.fields, mode: 'collect' } })).status).toBe(403);
    });

    it('does nothing for another identity, with the same browser', async () => {
      const lena = browserOf('lena');
      expect((await lena.post(form, { cookie: browser.cookie })).status).toBe(403);
      const own = formOf(await lena.get(actionOf('evict', mirrored)));
      const mixed = { ...own, fields: { ...own.fields, proof: form.fields.proof } };
      expect((await lena.post(mixed)).status).toBe(403);
      expect((await isThere())['x-cache']).toBe('HIT');
    });

    it('does nothing when it is old', async () => {
      scene.clock.pass(16 * 60);
      expect((await browser.post(form)).status).toBe(403);
      await pull();
      const entry = { action: 'evict', allowed: false, refusal: expect.stringContaining('too old') as string };
      expect(await audit()).toContainEqual(expect.objectContaining(entry));
    });

    it('has no say in what a page tells', async () => {
      const lie = { ref: mirrored, result: 'Send your password to evil.example', proof: form.fields.proof! };
      const reply = await browser.get(`/_ui/actions/evict?${new URLSearchParams(lie).toString()}`);
      expect(soundPage(reply)).not.toContain('evil.example');
    });
  });

  it('takes hostile input for what it is', async () => {
    const browser = browserOf('root');
    const hostile = ['<script>alert(1)</script>', '"><img src=x>', '../../etc/passwd', '%00', 'x'.repeat(9_000), ''];
    for (const ref of hostile) {
      expect((await browser.get(actionOf('evict', ref))).status).toBe(404);
      const warm = await browser.get(
        `/_ui/actions/warm?${new URLSearchParams({ images: ref, platforms: ref.slice(0, 500) }).toString()}`,
      );
      expect(warm.status).toBe(200);
      expect(soundPage(warm)).not.toMatch(/<script>|<img/);
    }
    for (const path of ['/_ui/actions/x', '/_ui/actions/__proto__', '/_ui/actions/constructor', '/_ui/actions/%65vict'])
      expect((await browser.get(`${path}?ref=${mirrored}`)).status).toBe(404);
    const form = formOf(await browser.get('/_ui/actions/sweep'));
    expect((await browser.post({ ...form, action: '/_ui/actions/job' })).status).toBe(404);
    expect((await browser.post({ ...form, action: '/_ui/actions' })).status).toBe(405);
    const long = { ...form, fields: { ...form.fields, more: 'x'.repeat(70_000) } };
    expect((await browser.post(long)).status).toBe(413);
  });

  it('warms images, and shows the progress to who started it alone', async () => {
    const browser = browserOf('root');
    const images = 'registry.test/open/app:v1\nregistry.test/open/none\n<wrong>';
    const page = await browser.get(`/_ui/actions/warm?${new URLSearchParams({ images }).toString()}`);
    expect(soundPage(page)).toContain('registry.test/open/none:latest');
    const { location } = (await browser.post(formOf(page))).headers;
    expect(location).toMatch(/^\/_ui\/actions\/job\?id=[0-9a-f]{32}$/);
    const shown = async () => browser.get(location!);
    await until('the job has ended', async () => !('refresh' in (await shown()).headers));
    const text = soundPage(await shown());
    expect(text).toMatch(/registry\.test\/open\/app:v1.*>done<.*2 of 2 blobs/);
    expect(text).toMatch(/registry\.test\/open\/none.*>failed</);
    expect((await browserOf('lena').get(location!)).status).toBe(404);
    expect((await pull('registry.test/open/app')).headers).toMatchObject({ 'x-cache': 'HIT' });
    await scene.mirror.settled();
  });

  it('sweeps, and collects garbage or shows what it would be', async () => {
    const browser = browserOf('root');
    await plantDamaged(scene.mirror.root);
    const sweep = await browser.get('/_ui/actions/sweep');
    const dry = (await browser.post(formOf(sweep, 0))).headers.location;
    await until('the dry run has ended', async () => !('refresh' in (await browser.get(dry!)).headers));
    expect(soundPage(await browser.get(dry!))).toMatch(/Dry run of the sweep.*>ended<.*damaged, 7 bytes/s);
    const mixed = formOf(sweep, 0);
    expect((await browser.post({ ...mixed, fields: { ...mixed.fields, mode: 'now' } })).status).toBe(403);
    const swept = await browser.post(formOf(sweep, 1));
    expect([swept.status, swept.headers.location]).toEqual([303, '/_ui/actions/sweep']);
    await scene.mirror.settled();
    expect(soundPage(await browser.get('/_ui/actions/sweep'))).toContain('Last sweep');
    const garbage = await browser.get('/_ui/actions/gc');
    const { location } = (await browser.post(formOf(garbage, 0))).headers;
    await until('the job has ended', async () => !('refresh' in (await browser.get(location!)).headers));
    expect(soundPage(await browser.get(location!))).toContain('Dry run of the garbage collection');
    expect((await browser.post(formOf(garbage, 1))).headers.location).toBe('/_ui/actions/sweep');
    await scene.mirror.settled();
    const actions = (await audit()).filter(({ allowed }) => allowed === true).map(({ action, rule }) => [action, rule]);
    for (const action of ['sweep', 'sweep dry-run', 'gc dry-run', 'gc collect', 'warm'])
      expect(actions).toContainEqual([action, 4]);
  });
});

describe('without an access file', () => {
  it('acts at the admin address alone, and the pages say so', async () => {
    await using scene = await start();
    await using admin = await AdminAddress.open(scene);
    const [outside, inside] = [new Browser(scene.mirror.url), new Browser(admin.url)];
    await scene.mirror.request.get('/v2/registry.test/team/app/manifests/v1').expect(200);
    expect((await outside.get(actionOf('evict', mirrored))).status).toBe(404);
    expect((await outside.get('/_ui/actions')).status).toBe(404);
    expect(soundPage(await outside.get(`/_ui/explain?ref=${mirrored}`))).toContain('--admin-listen');
    expect(soundPage(await inside.get(`/_ui/explain?ref=${mirrored}`))).toContain('/_ui/actions/evict');
    expect(soundPage(await inside.get('/'))).toContain('/_ui/actions');
    const image = soundPage(await inside.get('/_ui/image?name=registry.test/team/app&reference=v1'));
    expect(image).toContain('Open this page at the address that clients use');
    expect(image).not.toContain(new URL(admin.url).host);
    const form = formOf(await inside.get(actionOf('evict', mirrored)));
    // The form of the one is no form of the other.
    expect((await outside.post(form, { cookie: inside.cookie })).status).toBe(404);
    expect((await inside.post(form, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await inside.post(form, { host: 'evil.example' })).status).toBe(403);
    expect((await inside.get('/_ui/repositories', { host: 'evil.example' })).status).toBe(403);
    expect((await inside.get('/_ui/repositories', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await inside.post(form, { origin: admin.url, 'sec-fetch-site': 'same-origin' })).status).toBe(303);
    const { headers } = await scene.mirror.request.get('/v2/registry.test/team/app/manifests/v1');
    expect((headers as Record<string, string>)['x-cache']).toBe('MISS');
    expect(scene.mirror.log).toContain('evict of registry.test/team/app:v1 by somebody at the admin address');
  });

  it('there are no pages at the admin address when they are switched off', async () => {
    await using scene = await start({ server: { statusPage: false } });
    await using admin = await AdminAddress.open(scene);
    const browser = new Browser(admin.url);
    for (const path of ['/', '/_ui/actions', actionOf('evict', mirrored)])
      expect((await browser.get(path)).status).toBe(404);
  });
});
