import { describe, expect, it } from 'vitest';
import type { UpstreamOptions } from '../support/mirror.js';
import type { ServerSettings } from '../../../src/config/server.settings.js';
import { MemoryProvider } from '../../../src/storage/providers/memory/memory.provider.js';
import { StorageError } from '../../../src/storage/storage-error.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { request, type Reply } from '../../fakes/request.js';
import { makeImage } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Folder } from '../support/folder.js';
import { Gate } from '../support/gate.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

const hour = 3_600;
const image = makeImage({ layers: [100_000], seed: 'access' });
const layer = image.layers[0]!;
const paths = {
  'a small blob': `blobs/${image.config.digest}`,
  'a blob': `blobs/${layer.digest}`,
  'a manifest': `manifests/${image.manifest.digest}`,
  'a tag': 'manifests/latest',
};
const everything = Object.entries(paths);
const credentials = { username: 'user', password: 'planted-password' };

/** A file system in memory whose records cannot be written, from some moment on. */
class Stuck extends MemoryProvider {
  isStuck = false;
  readonly written: string[] = [];
  /** Holds up the next read of a record whose key ends like this, which has its bytes by then. */
  hold: { readonly ending: string; readonly gate: Gate } | undefined;

  override async read(key: string, limit: number): Promise<Buffer> {
    const bytes = await super.read(key, limit);
    const { hold } = this;
    if (hold && key.includes('/_') && key.endsWith(hold.ending)) {
      this.hold = undefined;
      await hold.gate.opened;
    }
    return bytes;
  }

  override async write(key: string, bytes: Uint8Array): Promise<void> {
    if (this.isStuck) throw new StorageError('full', 'no space is left');
    this.written.push(key);
    await super.write(key, bytes);
  }

  override async delete(key: string): Promise<void> {
    if (this.isStuck) throw new StorageError('failed', 'the storage does not answer');
    await super.delete(key);
  }
}

/** A registry that needs a password, and a mirror that has it, which can be started anew on the same folder. */
class Place implements AsyncDisposable {
  readonly clock = new MovingClock();
  mirror!: Mirror;
  readonly storage: Stuck | undefined;

  private constructor(
    readonly registry: FakeRegistry,
    private readonly folder: Folder,
    isInMemory: boolean,
    private readonly server: Partial<ServerSettings>,
  ) {
    this.storage = isInMemory ? new Stuck() : undefined;
  }

  static async make(
    options: UpstreamOptions = credentials,
    isInMemory = false,
    server: Partial<ServerSettings> = {},
  ): Promise<Place> {
    const registry = await FakeRegistry.start({ auth: 'bearer', access: { 'team/app': 'private' } });
    registry.addImage('team/app', image, ['latest']);
    const place = new Place(registry, await Folder.make(), isInMemory, server);
    await place.start(options);
    return place;
  }

  async start(options: UpstreamOptions = credentials): Promise<void> {
    // Tags are trusted for a fortnight, so that only access is a reason to ask.
    const long = { tagTtl: 14 * 24 * hour * 1000 };
    const upstream = { namespace: 'registry.test', host: this.registry.host, ...long, ...options };
    const { clock, storage, server } = this;
    const root = this.folder.path;
    this.mirror = await Mirror.start({ clock, root, server, upstreams: [upstream], ...(storage && { storage }) });
  }

  async restart(options?: UpstreamOptions): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.start(options);
  }

  ask(path: string, method = 'GET'): Promise<Reply> {
    return request(`${this.mirror.url}/v2/registry.test/team/app/${path}`, { method });
  }

  /** Everything is stored, and the registry has forgotten that it was asked. */
  async fill(): Promise<void> {
    for (const [, path] of everything) expect((await this.ask(path)).status).toBe(200);
    await this.mirror.settled();
    this.registry.reset();
  }

  /** What the registry was asked, its sign-ins left out. */
  get asked(): string[] {
    return this.registry.requests
      .filter(({ kind, status }) => kind !== 'token' && status !== 401)
      .map(({ method, reference }) => `${method} ${reference}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.registry.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

describe.each(everything)('%s that a password got', (_, path) => {
  const [noun, reference = ''] = path.split('/');

  it.each(['GET', 'HEAD'])(
    'is answered to %s without a question for an hour, then after one HEAD with the password',
    async (method) => {
      await using place = await Place.make();
      await place.fill();
      place.clock.pass(hour - 60);
      expect((await place.ask(path, method)).headers['x-cache']).toBe('HIT');
      expect(place.registry.requests).toEqual([]);
      place.clock.pass(120);
      const replies = await Promise.all(Array.from({ length: 20 }, () => place.ask(path, method)));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
      const heads = place.asked.filter((line) => line.endsWith(reference));
      expect(heads).toEqual([`HEAD ${reference}`]);
      const tokens = place.registry.select({ kind: 'token' });
      expect(tokens.map(({ headers }) => headers.authorization?.split(' ')[0])).toEqual(tokens.map(() => 'Basic'));
      place.registry.reset();
      place.clock.pass(hour - 120);
      await place.ask(path, method);
      expect(place.asked).toEqual([]);
    },
  );

  it.each([
    [401, noun === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN', 'GET'],
    [403, 'DENIED', 'GET'],
    [403, 'DENIED', 'HEAD'],
    [404, noun === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN', 'GET'],
    [404, '', 'HEAD'],
  ] as const)('is lost for good when the registry then says %i: %s to %s', async (status, code, method) => {
    await using place = await Place.make();
    await place.fill();
    if (status === 404) {
      place.registry.deleteTag('team/app', 'latest');
      place.registry.deleteManifest('team/app', image.manifest.digest);
      for (const { digest } of [layer, image.config]) place.registry.deleteBlob('team/app', digest);
    } else {
      place.registry.behaviour.access['team/app'] = 'denied';
      place.registry.behaviour.deniedStatus = status;
    }
    place.clock.pass(hour);
    const reply = await place.ask(path, method);
    if (method === 'GET') expectError(reply, status, status === 401 ? 'UNAUTHORIZED' : code);
    else expect(reply.status).toBe(status);
    await place.registry.stop();
    place.clock.pass(60);
    const isServed = async () =>
      (await Promise.all(['GET', 'HEAD'].map((each) => place.ask(path, each)))).map((each) => each.status < 400);
    expect(await isServed()).toEqual([false, false]);
    await place.restart();
    expect(await isServed()).toEqual([false, false]);
  });

  it('is served while the registry cannot answer, also after a restart, and asked about when it can', async () => {
    await using place = await Place.make();
    await place.fill();
    place.registry.behaviour.outage = { status: 503 };
    place.clock.pass(hour);
    for (const method of ['GET', 'HEAD']) expect((await place.ask(path, method)).status).toBe(200);
    await place.registry.stop();
    await place.restart();
    for (const method of ['GET', 'HEAD']) expect((await place.ask(path, method)).status).toBe(200);
    place.registry.behaviour.outage = undefined;
    place.registry.behaviour.access['team/app'] = 'denied';
    place.registry.behaviour.deniedStatus = 403;
    await place.registry.restart();
    place.clock.pass(120);
    expect((await place.ask(path)).status).toBe(403);
  });

  it.each(['GET', 'HEAD'])('is asked about without a password when there is none any more: %s', async (method) => {
    await using place = await Place.make();
    await place.fill();
    await place.restart({});
    expect((await place.ask(path, method)).status).toBe(200);
    place.clock.pass(hour);
    place.registry.reset();
    expect((await place.ask(path, method)).status).toBe(404);
    expect(place.registry.requests.filter(({ headers }) => headers.authorization?.startsWith('Basic'))).toEqual([]);
    await place.registry.stop();
    place.clock.pass(60);
    expect((await place.ask(path, method)).status).toBeGreaterThanOrEqual(400);
  });

  it('is not asked about again when nobody needed a password for it', async () => {
    await using place = await Place.make({});
    place.registry.behaviour.access['team/app'] = 'public';
    await place.fill();
    place.clock.pass(13 * 24 * hour);
    for (const method of ['GET', 'HEAD']) expect((await place.ask(path, method)).headers['x-cache']).toBe('HIT');
    expect(place.registry.requests).toEqual([]);
  });
});

describe('a registry that says no slowly', () => {
  it.each(['a blob', 'a manifest'] as const)('says it to those who come later: %s', async (kind) => {
    await using place = await Place.make();
    await place.fill();
    Object.assign(place.registry.behaviour, { delayHeaders: 2_200, deniedStatus: 403 });
    place.registry.behaviour.slowKinds = ['blob', 'manifest'];
    place.registry.behaviour.access['team/app'] = 'denied';
    place.clock.pass(hour);
    expect((await place.ask(paths[kind])).status).toBe(200);
    await until('it has said no', () => place.registry.count({ status: 403 }) > 0, 10_000);
    await until('it is refused', async () => (await place.ask(paths[kind])).status === 403, 10_000);
  });
});

describe('a storage that takes nothing', () => {
  it.each(everything)(
    'keeps nobody from %s that the registry agrees to, nor gives it to them when it does not',
    async (_, path) => {
      await using place = await Place.make(credentials, true);
      await place.fill();
      place.clock.pass(hour);
      place.storage!.isStuck = true;
      for (const method of ['GET', 'HEAD']) expect((await place.ask(path, method)).status).toBe(200);
      Object.assign(place.registry.behaviour, { deniedStatus: 403, access: { 'team/app': 'denied' } });
      for (const method of ['GET', 'HEAD']) expect((await place.ask(path, method)).status).toBe(403);
      place.storage!.isStuck = false;
    },
  );

  it('is written to once for a crowd that asks at the same moment', async () => {
    await using place = await Place.make(credentials, true);
    await place.fill();
    for (const [, path] of everything) {
      place.clock.pass(hour);
      place.storage!.written.length = 0;
      await Promise.all(Array.from({ length: 30 }, (_, index) => place.ask(path, index % 2 ? 'GET' : 'HEAD')));
      // A tag has a record of its own besides that of its manifest.
      const { written } = place.storage!;
      expect([written.length, new Set(written).size]).toEqual(path === paths['a tag'] ? [2, 2] : [1, 1]);
    }
  });
});

describe('a request that read the record before the upstream agreed, and goes on after that', () => {
  it.each(
    (['a small blob', 'a blob', 'a manifest'] as const).flatMap((kind) => [
      [kind, 'GET'],
      [kind, 'HEAD'],
    ]),
  )('costs no second question: %s by %s', async (kind, method) => {
    // Each request then reads the record from the storage.
    await using place = await Place.make(credentials, true, { memoryCache: 0 });
    await place.fill();
    place.clock.pass(hour);
    const path = paths[kind as keyof typeof paths];
    const digest = path.split('/')[1]!;
    using gate = new Gate();
    const storage = place.storage!;
    storage.hold = { ending: digest.replace('sha256:', '/'), gate };
    const late = place.ask(path, method);
    await until('its record is read', () => storage.hold === undefined);
    expect((await place.ask(path, method)).status).toBe(200);
    gate.open();
    expect((await late).status).toBe(200);
    expect(place.asked).toEqual([`HEAD ${digest}`]);
  });
});

describe('a tag that is refused', () => {
  it.each([401, 403])('has its manifest asked about at the next request, after %i', async (status) => {
    await using place = await Place.make({ ...credentials, tagTtl: 60_000 });
    await place.fill();
    Object.assign(place.registry.behaviour, { deniedStatus: status, access: { 'team/app': 'denied' } });
    // The tag is due; the manifest by its digest is not for most of an hour.
    place.clock.pass(120);
    expect((await place.ask(paths['a tag'])).status).toBe(status);
    for (const method of ['GET', 'HEAD']) expect((await place.ask(paths['a manifest'], method)).status).toBe(status);
  });

  it.each([
    [401, 0],
    [403, 0],
    [403, 60_000],
  ])('has all other content asked about at the next request, after %i with a tag_ttl of %i ms', async (status, ttl) => {
    await using place = await Place.make({ ...credentials, tagTtl: ttl });
    await place.fill();
    place.clock.pass(120);
    Object.assign(place.registry.behaviour, { deniedStatus: status, access: { 'team/app': 'denied' } });
    expect((await place.ask(paths['a tag'])).status).toBe(status);
    for (const method of ['HEAD', 'GET'])
      for (const [name, path] of everything) expect((await place.ask(path, method)).status, name).toBe(status);
    // Whoever has a token that is worth nothing any more gets a new one at a 401.
    Object.assign(place.registry.behaviour, { deniedStatus: 401, access: { 'team/app': 'private' } });
    place.clock.pass(120);
    expect((await place.ask(paths['a blob'])).status).toBe(200);
  });

  it('has each blob asked about once, if the registry still serves it', async () => {
    await using place = await Place.make({ ...credentials, tagTtl: 60_000 });
    await place.fill();
    place.clock.pass(120);
    Object.assign(place.registry.behaviour, { deniedStatus: 403, access: { 'team/app': 'denied' } });
    expect((await place.ask(paths['a tag'])).status).toBe(403);
    Object.assign(place.registry.behaviour, { deniedStatus: 401, access: { 'team/app': 'private' } });
    place.clock.pass(1);
    place.registry.reset();
    for (let count = 0; count < 3; count += 1)
      expect((await place.ask(paths['a blob'])).headers['x-cache']).toBe('HIT');
    expect(place.asked).toEqual([`HEAD ${layer.digest}`]);
  });

  it('does not take the manifest away while the registry cannot say so', async () => {
    await using place = await Place.make({ ...credentials, tagTtl: 60_000 });
    await place.fill();
    Object.assign(place.registry.behaviour, { deniedStatus: 403, access: { 'team/app': 'denied' } });
    place.clock.pass(120);
    expect((await place.ask(paths['a tag'])).status).toBe(403);
    await place.registry.stop();
    expect((await place.ask(paths['a manifest'])).status).toBe(200);
  });

  it('changes nothing for content that nobody needed a password for', async () => {
    await using place = await Place.make({ tagTtl: 60_000 });
    place.registry.behaviour.access['team/app'] = 'public';
    await place.fill();
    Object.assign(place.registry.behaviour, { deniedStatus: 403, access: { 'team/app': 'denied' } });
    place.clock.pass(120);
    expect((await place.ask(paths['a tag'])).status).toBe(403);
    expect((await place.ask(paths['a manifest'])).headers['x-cache']).toBe('HIT');
  });
});

describe('stale_while_revalidate', () => {
  const options = { ...credentials, tagTtl: 60_000, staleWhileRevalidate: 14 * 24 * hour * 1000 };

  it('answers a private tag at once only as long as access is trusted', async () => {
    await using place = await Place.make(options);
    await place.fill();
    Object.assign(place.registry.behaviour, { deniedStatus: 403, access: { 'team/app': 'denied' } });
    place.clock.pass(hour + 60);
    for (const method of ['HEAD', 'GET']) expect((await place.ask(paths['a tag'], method)).status).toBe(403);
  });

  it('answers it at once before that, and a public one for all of its time', async () => {
    await using secret = await Place.make(options);
    const { tagTtl, staleWhileRevalidate } = options;
    await using open = await Place.make({ tagTtl, staleWhileRevalidate });
    open.registry.behaviour.access['team/app'] = 'public';
    for (const place of [secret, open]) await place.fill();
    secret.clock.pass(hour - 60);
    open.clock.pass(2 * hour);
    const responses = await Promise.all([secret, open].map((place) => place.ask(paths['a tag'])));
    expect(responses.map(({ headers }) => headers['x-cache'])).toEqual(['STALE', 'STALE']);
    // The question behind the answer writes its record; the folders are looked at when that is done.
    for (const place of [secret, open]) {
      const isRenewed = async () => (await place.ask(paths['a tag'])).headers['x-cache'] === 'HIT';
      await until('the answer behind it is recorded', isRenewed);
    }
  });
});
