import { hash as bcrypt } from 'bcryptjs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { content, plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { makeImage, makeIndex } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror, type MirrorOptions, type UpstreamOptions } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { AdminAddress } from './support.js';

const image = makeImage({ layers: [100, 200], seed: 'explained' });
const { digest, body, mediaType } = image.manifest;
const manifest = content(body, { headers: { 'content-type': mediaType, 'docker-content-digest': digest } });
const password = 'planted-password-of-the-registry';

interface Explained {
  readonly reference: string;
  readonly kind: string;
  readonly last: { readonly outcome: string; readonly why: string; readonly before?: { readonly outcome: string } };
  readonly record?: { readonly digest: string; readonly freshness: string; readonly age: number };
  readonly rule?: object;
  readonly upstream?: { readonly lastResponse?: { readonly status?: number }; readonly pauses: readonly object[] };
  readonly refusal?: { readonly seconds: number };
  readonly stored: { readonly manifest?: { readonly state: string }; readonly images: readonly object[] };
  readonly now: { readonly outcome: string; readonly request?: object; readonly reason: string };
  readonly access: object;
}

/** A mirror, its admin address, and an upstream that says what a test tells it to. */
class Scene implements AsyncDisposable {
  readonly clock = new MovingClock();

  private constructor(
    readonly upstream: ScriptedUpstream,
    readonly mirror: Mirror,
    readonly admin: AdminAddress,
    clock: MovingClock,
  ) {
    this.clock = clock;
  }

  static async start(entry: UpstreamOptions = {}, options: Omit<MirrorOptions, 'upstreams'> = {}): Promise<Scene> {
    const upstream = await ScriptedUpstream.start();
    upstream.on('*', '/v2/team/app/manifests/1.0', manifest).on('*', `/v2/team/app/manifests/${digest}`, manifest);
    for (const each of [image.config, ...image.layers])
      upstream.on('*', `/v2/team/app/blobs/${each.digest}`, content(each.body));
    const clock = new MovingClock();
    const upstreams = [{ namespace: 'registry.test', host: upstream.host, ...entry }];
    const mirror = await Mirror.start({ clock, ...options, upstreams });
    return new Scene(upstream, mirror, await AdminAddress.open({ mirror }), clock);
  }

  async explain(ref: string, query: Record<string, string> = {}): Promise<Explained> {
    const response = await this.admin.request.get('/_admin/explain').query({ ref, ...query });
    expect([response.status, response.text]).toEqual([200, expect.any(String)]);
    return response.body as Explained;
  }

  async pull(reference = '1.0'): Promise<string | undefined> {
    const { headers, status } = await this.mirror.request.get(`/v2/registry.test/team/app/manifests/${reference}`);
    return status === 200 ? (headers as Record<string, string>)['x-cache'] : String(status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.admin[Symbol.asyncDispose]();
    await this.mirror[Symbol.asyncDispose]();
    await this.upstream.close();
    expect(this.upstream.failures).toEqual([]);
  }
}

const ref = 'registry.test/team/app:1.0';

describe('an explanation', () => {
  it('says why a pull was a miss, and the next a hit', async () => {
    await using scene = await Scene.start();
    expect(await scene.explain(ref)).toMatchObject({
      reference: ref,
      kind: 'mirrored',
      last: { outcome: 'unknown' },
      stored: { images: [] },
      now: { outcome: 'ask', request: { method: 'GET', url: `${scene.upstream.url}/v2/team/app/manifests/1.0` } },
      access: { isEnabled: false },
    });
    expect(await scene.pull()).toBe('MISS');
    const missed = await scene.explain(ref);
    expect(missed).toMatchObject({
      last: { outcome: 'miss', digest },
      record: { digest, freshness: 'fresh', resolvedAt: expect.any(String) as string },
      rule: { lifetime: 600, setting: 'tag_ttl', isDefault: true },
      upstream: { condition: 'up', lastResponse: { method: 'GET', status: 200 } },
      stored: { manifest: { state: 'stored' }, images: [{ blobs: 3, storedBlobs: 0 }] },
      now: { outcome: 'hit' },
    });
    expect(missed.now).not.toHaveProperty('request');
    expect(await scene.pull()).toBe('HIT');
    expect(await scene.pull()).toBe('HIT');
    expect((await scene.explain(ref)).last).toMatchObject({ outcome: 'hit', before: { outcome: 'miss' } });
  });

  it('says why a pull was stale, what the upstream said, and until when it is not asked', async () => {
    await using scene = await Scene.start({ tags: [{ pattern: '1.*', ttl: 60_000 }] });
    await scene.pull();
    scene.clock.pass(61);
    expect(await scene.explain(ref)).toMatchObject({
      record: { freshness: 'stale' },
      rule: { lifetime: 60, setting: 'tags', pattern: '1.*', isDefault: false },
      now: { outcome: 'ask', request: { method: 'HEAD', inBackground: false } },
    });
    scene.upstream.on('*', '/v2/team/app/manifests/1.0', plain(503, '', { 'retry-after': '120' }));
    expect(await scene.pull()).toBe('STALE');
    const stale = await scene.explain(ref);
    expect(stale).toMatchObject({
      last: { outcome: 'stale', before: { outcome: 'miss' } },
      upstream: { condition: 'degraded', lastResponse: { method: 'HEAD', status: 503 } },
      now: { outcome: 'stale' },
    });
    expect(stale.now).not.toHaveProperty('request');
    expect(stale.upstream!.pauses).toContainEqual(expect.objectContaining({ method: 'HEAD', seconds: 120 }));
    scene.clock.pass(121);
    scene.upstream.on('*', '/v2/team/app/manifests/1.0', manifest);
    expect(await scene.pull()).toBe('REVALIDATED');
    expect((await scene.explain(ref)).last).toMatchObject({ outcome: 'revalidated', before: { outcome: 'stale' } });
  });

  it('says why a pull was refused, and how long that is remembered', async () => {
    await using scene = await Scene.start();
    scene.upstream.on('*', '/v2/team/app/manifests/2.0', plain(403));
    expect(await scene.pull('2.0')).toBe('403');
    const refused = await scene.explain('registry.test/team/app:2.0');
    expect(refused).toMatchObject({
      last: { outcome: 'refused', why: expect.stringMatching(/^DENIED: .* responded with 403/) as string },
      upstream: { lastResponse: { status: 403 } },
      refusal: { reason: expect.stringContaining('403') as string },
      now: { outcome: 'refused' },
    });
    expect(refused.refusal!.seconds).toBeGreaterThan(0);
    scene.clock.pass(30);
    expect((await scene.explain('registry.test/team/app:2.0')).now.outcome).toBe('ask');
  });

  it('says why a pull failed, with a pull limit that is used up', async () => {
    await using scene = await Scene.start();
    scene.upstream.on(
      '*',
      '/v2/team/app/manifests/3.0',
      plain(429, '', { 'retry-after': '30', 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }),
    );
    expect(await scene.pull('3.0')).toBe('429');
    expect(await scene.explain('registry.test/team/app:3.0')).toMatchObject({
      last: { outcome: 'failed', why: expect.stringContaining('TOOMANYREQUESTS') as string },
      upstream: { rateLimit: { limit: 100, remaining: 0 } },
      now: { outcome: 'failed', reason: expect.stringContaining('not accepting') as string },
    });
  });

  it('names the source of credentials, and no secret', async () => {
    await using scene = await Scene.start({ username: 'robot', password });
    await scene.pull();
    const text = JSON.stringify([await scene.explain(ref), await scene.explain('registry.test/team/app:other')]);
    expect(text).toContain('user robot');
    expect(text).not.toContain('planted-');
    expect((await scene.explain('registry.test/team/app:other')).now.request).toMatchObject({
      credentials: { source: 'static', identities: ['user robot'] },
    });
  });

  it('explains a digest, and each image of an index', async () => {
    await using scene = await Scene.start();
    const platform = { os: 'linux', architecture: 'arm64' };
    const index = makeIndex([{ image, platform }]).manifest;
    const headers = { 'content-type': index.mediaType, 'docker-content-digest': index.digest };
    scene.upstream.on('*', `/v2/team/app/manifests/${index.digest}`, content(index.body, { headers }));
    const named = `registry.test/team/app@${index.digest}`;
    expect((await scene.explain(named)).now.request).toMatchObject({ method: 'GET' });
    await scene.pull(index.digest);
    expect((await scene.explain(named)).stored).toMatchObject({
      manifest: { state: 'stored' },
      images: [{ platform: 'linux/arm64', state: 'missing' }],
    });
    await scene.pull(digest);
    await scene.mirror.request.get(`/v2/registry.test/team/app/blobs/${image.config.digest}`);
    await scene.mirror.settled();
    const explained = await scene.explain(named);
    expect(explained).toMatchObject({ now: { outcome: 'hit' }, stored: { images: [{ blobs: 3, storedBlobs: 1 }] } });
  });

  it('explains what is hosted, and that nobody would be asked for it', async () => {
    await using scene = await Scene.start(
      {},
      { hosted: [{ namespace: 'local' }], server: { allowAnonymousPush: true } },
    );
    const empty = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';
    await scene.mirror.request
      .put('/v2/local/app/manifests/v1')
      .type('application/vnd.oci.image.index.v1+json')
      .send(empty)
      .expect(201);
    expect(await scene.explain('local/app:v1')).toMatchObject({
      kind: 'hosted',
      record: { freshness: 'permanent' },
      now: { outcome: 'hit' },
    });
    await scene.mirror.request.get('/v2/local/app/manifests/v1').expect(200);
    expect((await scene.explain('local/app:v1')).last).toMatchObject({
      outcome: 'hit',
      why: 'it was served from what was pushed here; hits since then are not noted one by one',
    });
    // To read it would hold up other requests.
    const large = empty.replace('}', `,"annotations":{"x":"${'x'.repeat(600_000)}"}}`);
    await scene.mirror.request
      .put('/v2/local/app/manifests/large')
      .type('application/vnd.oci.image.index.v1+json')
      .send(large)
      .expect(201);
    expect(await scene.explain('local/app:large')).toMatchObject({
      stored: { manifest: { state: 'stored' }, images: [], isCut: true },
      now: { outcome: 'hit' },
    });
    await scene.mirror.request.get('/v2/local/app/manifests/v2').expect(404);
    expect(await scene.explain('local/app:v2')).toMatchObject({
      last: { outcome: 'refused', why: expect.stringContaining('MANIFEST_UNKNOWN') as string },
      now: { outcome: 'refused' },
    });
    expect(scene.upstream.requests).toEqual([]);
  });

  it('explains a namespace that is not mirrored', async () => {
    await using scene = await Scene.start({}, { server: { unknownNamespaces: 'deny' } });
    expect(await scene.explain('elsewhere.test/app')).toMatchObject({
      reference: 'elsewhere.test/app:latest',
      kind: 'refused',
      now: { outcome: 'refused', reason: expect.stringContaining('not mirrored here') as string },
    });
  });
});

describe('who may pull', () => {
  it('is answered by the rules, also for somebody who is named', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\n`);
    const rules = `
  - { repositories: ['registry.test/team/**'], who: ['group:developers'], may: [pull] }
  - { repositories: ['registry.test/{user}/**'], who: [authenticated], may: [push] }`;
    const access = `users_file: ${folder.file('htpasswd')}\ngroups: { developers: [anna] }\nrules:${rules}`;
    await using scene = await Scene.start({}, { access });
    expect((await scene.explain(ref, { as: 'user:anna' })).access).toEqual({
      isEnabled: true,
      rules: [
        { rule: 0, who: ['group:developers'] },
        { rule: 1, who: ['authenticated'], filling: 'team' },
      ],
      decision: { as: 'user:anna', isAllowed: true, rule: 0 },
    });
    const denied = { decision: { as: 'user:bert', isAllowed: false } };
    expect((await scene.explain(ref, { as: 'user:bert' })).access).toMatchObject(denied);
    const grouped = { as: 'user:bert', group: 'developers' };
    expect((await scene.explain(ref, grouped)).access).toMatchObject({ decision: { isAllowed: true } });
    const other = 'registry.test/other/app:1.0';
    await scene.mirror.request
      .get('/v2/registry.test/other/app/manifests/1.0')
      .set('authorization', `Basic ${btoa('anna:secret')}`)
      .expect(403);
    expect((await scene.explain(other)).last).toMatchObject({
      outcome: 'refused',
      why: 'DENIED: user:anna may not pull registry.test/other/app',
    });
  });
});

describe('at the main address', () => {
  it('only administrators of the repository get an explanation, and refresh it', async () => {
    await using folder = await Folder.make();
    const secret = await bcrypt('secret', 4);
    await writeFile(folder.file('htpasswd'), ['anna', 'bert', 'root'].map((name) => `${name}:${secret}\n`).join(''));
    const rules = `
  - { repositories: ['registry.test/**'], who: [authenticated], may: [pull] }
  - { repositories: ['registry.test/team/**'], who: ['user:anna'], may: [admin] }
  - { repositories: ['**'], who: ['user:root'], may: [admin] }`;
    await using scene = await Scene.start({}, { access: `users_file: ${folder.file('htpasswd')}\nrules:${rules}` });
    const statusOf = async (user: string, method: 'get' | 'post', path: string) => {
      const asked = scene.mirror.request[method](path).set('authorization', `Basic ${btoa(`${user}:secret`)}`);
      return (await asked).status;
    };
    const own = '/_admin/explain?ref=docker://registry.test/team/app:1.0';
    const other = '/_admin/explain?ref=registry.test/other/app:1.0';
    const statuses = async (user: string) => [await statusOf(user, 'get', own), await statusOf(user, 'get', other)];
    expect(await statuses('anna')).toEqual([200, 404]);
    expect(await statuses('bert')).toEqual([404, 404]);
    expect(await statuses('root')).toEqual([200, 200]);
    expect(await statusOf('bert', 'get', '/_admin/explain?ref=%3C')).toBe(404);
    expect(await statusOf('root', 'get', '/_admin/explain?ref=%3C')).toBe(400);
    const refresh = '/_admin/registry.test/team/app/manifests/1.0';
    expect(await statusOf('anna', 'post', refresh)).toBe(200);
    expect(await statusOf('bert', 'post', refresh)).not.toBe(200);
    expect(scene.upstream.requests).toHaveLength(1);
  });
});

describe('a reference', () => {
  it('is understood as it is typed, with the address of this server in front', async () => {
    await using scene = await Scene.start();
    const own = new URL(scene.admin.url).host;
    for (const typed of [`docker://${own}/${ref}`, `http://${own}/v2/registry.test/team/app/manifests/1.0`, ` ${ref}`])
      expect((await scene.explain(typed)).reference).toBe(ref);
  });

  it('that is none is refused', async () => {
    await using scene = await Scene.start();
    const hostile = [
      '',
      ' ',
      '<script>',
      'a/../b',
      'x:%zz',
      'a@sha256:00',
      `${'a/'.repeat(600)}b`,
      'x\u0000y',
      '../..',
      'a'.repeat(5000),
      'http://h/v2/x/manifests/%zz',
    ];
    for (const each of hostile) {
      const response = await scene.admin.request.get('/_admin/explain').query({ ref: each });
      expect([each, response.status]).toEqual([each, 400]);
    }
    for (const query of ['', 'ref=a&ref=b', 'ref=a&as=x', 'ref=a&as=group:x', 'ref=a&as=user:x&claim=y'])
      expect((await scene.admin.request.get(`/_admin/explain?${query}`)).status).toBe(400);
  });
});

describe('explaining', () => {
  it('asks nobody, and changes nothing', async () => {
    await using scene = await Scene.start();
    await scene.pull();
    await scene.mirror.settled();
    scene.clock.pass(7_200);
    scene.upstream.reset();
    const before = await snapshot(scene.mirror.root);
    const names = [ref, `registry.test/team/app@${digest}`, 'registry.test/team/none', 'unknown.example/team/app'];
    for (const each of names) await scene.explain(each);
    await scene.mirror.settled();
    expect(scene.upstream.requests).toEqual([]);
    expect(await snapshot(scene.mirror.root)).toEqual(before);
  });
});

/** Every file with its size, and when it was changed and used last. */
async function snapshot(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const stats = await Promise.all(files.map(async (file) => [file, await stat(file)] as const));
  return stats.map(([file, { size, mtimeMs }]) => `${file} ${size} ${mtimeMs}`).sort();
}
