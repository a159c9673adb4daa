import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { RivalsOptions } from './support/rivals.js';
import { challenge, content, plain, type Script } from '../fakes/scripted-upstream.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { makeImage, type FixtureBlob } from '../fixtures/images.js';
import { pull, type Outcome } from './support/client.js';
import { Rivals, type Side } from './support/rivals.js';

const hour = 3_600;
const image = makeImage({ layers: [200_000], seed: 'of one registry' });
const layer = image.layers[0]!;
const { config, manifest } = image;
const password = { username: 'user', password: 'planted-password' };

const kinds = {
  'a layer': { path: `blobs/${layer.digest}`, of: layer },
  'a small blob': { path: `blobs/${config.digest}`, of: config },
  'a manifest': { path: `manifests/${manifest.digest}`, of: manifest },
};
type Kind = keyof typeof kinds;
const all = Object.keys(kinds) as Kind[];

/** The content, and all headers that clients could wish for. */
function truth({ digest, body }: FixtureBlob, headers: Record<string, string> = {}): Script {
  const type = digest === manifest.digest ? { 'content-type': manifest.mediaType } : {};
  return content(body, { headers: { 'docker-content-digest': digest, ...type, ...headers } });
}

/** The same for those who have the password. */
const locked = (script: Script): Script => ({
  respond: ({ headers }) => (headers.authorization === undefined ? challenge('Basic realm="registry"') : script),
});

class Place {
  private constructor(readonly rivals: Rivals) {}

  /** good.test has the image in `app`, for everybody or for those who have the password. */
  static async make(isPrivate: boolean, options: RivalsOptions = {}): Promise<Place> {
    const place = new Place(await Rivals.start({ ...options, ...(isPrivate && { good: password }) }));
    for (const kind of all)
      place.script('good', kind, isPrivate ? locked(truth(kinds[kind].of)) : truth(kinds[kind].of));
    return place;
  }

  script(side: Side, kind: Kind, script: Script, { method = '*', repository = 'app' } = {}): void {
    this.rivals[side].on(method, `/v2/${repository}/${kinds[kind].path}`, script);
  }

  /** evil.test says by HEAD what it likes, and has nothing. */
  claim(kind: Kind, headers: Record<string, string> = {}): void {
    this.script('evil', kind, truth(kinds[kind].of, headers), { method: 'HEAD' });
    this.script('evil', kind, plain(404), { method: 'GET' });
  }

  pull(side: Side, kind: Kind, { replica = 0, repository = 'app', ...options }: PullOptions = {}): Promise<Outcome> {
    const url = this.rivals.url(side, `${repository}/${kinds[kind].path}`, replica);
    return pull(url, kinds[kind].of.body, options);
  }

  async owned(kind: Kind): Promise<void> {
    expect((await this.pull('good', kind)).verdict).toBe('right');
    await this.rivals.settled();
    expect((await this.pull('good', kind)).headers['x-cache']).toBe('HIT');
  }

  gets(side: Side, kind: Kind): number {
    return this.rivals[side].count({ method: 'GET', path: new RegExp(kinds[kind].path) });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.rivals[Symbol.asyncDispose]();
  }
}

interface PullOptions {
  readonly replica?: number;
  readonly repository?: string;
  readonly headers?: Record<string, string>;
}

const cacheOf = ({ verdict, headers }: Outcome) => [verdict, headers['x-cache']];

describe.each(all)('%s that took a password', (kind) => {
  it('is not had from a registry that only says that it has it', async () => {
    await using place = await Place.make(true);
    await place.owned(kind);
    place.claim(kind);
    for (const headers of [{}, { range: 'bytes=0-9' }, { 'if-none-match': '*' }] as Record<string, string>[]) {
      const { status, verdict } = await place.pull('evil', kind, { headers });
      expect([status, verdict]).toEqual([404, 'refused']);
      place.rivals.clock.pass(60);
    }
    await place.rivals.restart();
    expect((await place.pull('evil', kind)).status).toBe(404);
    expect((await place.pull('good', kind)).headers['x-cache']).toBe('HIT');
  });

  it('is not had from it at another replica', async () => {
    await using place = await Place.make(true, { replicas: 2 });
    await place.owned(kind);
    place.claim(kind);
    for (const replica of [1, 0]) expect((await place.pull('evil', kind, { replica })).status).toBe(404);
    expect((await place.pull('good', kind, { replica: 1 })).headers['x-cache']).toBe('HIT');
  });

  it('is had from a registry that sends it', async () => {
    await using place = await Place.make(true);
    await place.owned(kind);
    place.script('evil', kind, truth(kinds[kind].of));
    expect(cacheOf(await place.pull('evil', kind))).toEqual(['right', 'MISS']);
    await place.rivals.settled();
    expect(cacheOf(await place.pull('evil', kind))).toEqual(['right', 'HIT']);
    expect(place.gets('evil', kind)).toBe(1);
    // Nothing that evil sent took a password.
    place.rivals.clock.pass(2 * hour);
    await place.rivals.evil.kill();
    expect(cacheOf(await place.pull('evil', kind))).toEqual(['right', 'HIT']);
  });

  it('is asked about again when the password has gone, and in every repository of its registry', async () => {
    await using place = await Place.make(true);
    place.script('good', kind, truth(kinds[kind].of), { repository: 'copy' });
    await place.owned(kind);
    // For a while the registry lets everybody have it.
    place.script('good', kind, truth(kinds[kind].of));
    await place.rivals.restart({ good: {} });
    place.rivals.clock.pass(2 * hour);
    expect(cacheOf(await place.pull('good', kind))).toEqual(['right', 'HIT']);
    expect(cacheOf(await place.pull('good', kind, { repository: 'copy' }))).toEqual(['right', 'REVALIDATED']);
    expect(cacheOf(await place.pull('good', kind, { repository: 'copy' }))).toEqual(['right', 'HIT']);
    for (const repository of ['app', 'copy']) place.script('good', kind, plain(403), { repository });
    place.rivals.clock.pass(2 * hour);
    for (const repository of ['app', 'copy'])
      expect((await place.pull('good', kind, { repository })).verdict).toBe('refused');
  });

  it('is sent again where its origin was not recorded', async () => {
    await using place = await Place.make(true);
    place.script('good', kind, locked(truth(kinds[kind].of)), { repository: 'copy' });
    await place.owned(kind);
    await rm(place.rivals.folder.file('origins'), { recursive: true });
    place.claim(kind);
    expect((await place.pull('evil', kind)).status).toBe(404);
    expect(cacheOf(await place.pull('good', kind))).toEqual(['right', 'HIT']);
    expect(cacheOf(await place.pull('good', kind, { repository: 'copy' }))).toEqual(['right', 'MISS']);
    await place.rivals.settled();
    expect((await storedFiles(place.rivals.folder.path)).filter((file) => file.startsWith('origins/'))).toHaveLength(1);
  });
});

describe.each(all)('%s that took none', (kind) => {
  it('is had from another registry that names its digest and size, by a HEAD', async () => {
    await using place = await Place.make(false);
    await place.owned(kind);
    place.claim(kind);
    expect(cacheOf(await place.pull('evil', kind))).toEqual(['right', 'REVALIDATED']);
    expect(cacheOf(await place.pull('evil', kind))).toEqual(['right', 'HIT']);
    expect(place.gets('evil', kind)).toBe(0);
  });

  it.each([
    ['another digest', { 'docker-content-digest': layer.digest.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }],
    ['another size', { 'content-length': '12345' }],
    ['no digest', { 'docker-content-digest': '' }],
  ])('is not had from one that names %s', async (_, headers) => {
    await using place = await Place.make(false);
    await place.owned(kind);
    place.claim(kind, headers);
    expect((await place.pull('evil', kind)).status).toBe(404);
  });

  it('is had from another repository of its registry, whatever that says by HEAD', async () => {
    await using place = await Place.make(false);
    const silent = { 'docker-content-digest': '' };
    place.script('good', kind, truth(kinds[kind].of, silent), { method: 'HEAD', repository: 'copy' });
    await place.owned(kind);
    expect(cacheOf(await place.pull('good', kind, { repository: 'copy' }))).toEqual(['right', 'REVALIDATED']);
    expect(place.gets('good', kind)).toBe(1);
  });
});

describe('a tag of another registry', () => {
  it('that names a digest it does not have is not served', async () => {
    await using place = await Place.make(true);
    await place.owned('a manifest');
    place.claim('a manifest');
    const tag = '/v2/app/manifests/latest';
    place.rivals.evil.on('HEAD', tag, truth(manifest)).on('GET', tag, plain(404));
    for (const method of ['GET', 'HEAD', 'GET']) {
      const outcome = await pull(place.rivals.url('evil', 'app/manifests/latest'), manifest.body, { method });
      if (method === 'GET') expect([outcome.status, outcome.verdict]).toEqual([404, 'refused']);
      place.rivals.clock.pass(600);
    }
  });
});

describe('content from a fallback host', () => {
  it('is private when the fallback takes a password, whatever the registry takes', async () => {
    const place = await Place.make(false);
    await using rivals = place.rivals;
    const { UpstreamSettings } = await import('../../src/config/upstream.settings.js');
    const fallback = Object.assign(new UpstreamSettings(), { host: rivals.evil.host, tls: false, ...password });
    rivals.evil.on('*', `/v2/app/${kinds['a layer'].path}`, locked(truth(layer)));
    await rivals.restart({ good: { fallbackHosts: [fallback] } });
    await rivals.good.kill();
    expect((await place.pull('good', 'a layer')).verdict).toBe('right');
    await rivals.settled();
    await rivals.good.revive();
    place.script('good', 'a layer', plain(403));
    rivals.clock.pass(2 * hour);
    expect((await place.pull('good', 'a layer')).verdict).toBe('refused');
  });
});
