import { describe, expect, it } from 'vitest';
import { StorageProvider } from '../../src/storage/storage.provider.js';
import { MemoryProvider } from '../../src/storage/providers/memory/memory.provider.js';
import { MovingClock } from '../e2e/support/moving-clock.js';
import { Mirror, type MirrorOptions } from '../e2e/support/mirror.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import type { RecordedRequest } from '../fakes/registry/request-log.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { pull, Watcher } from './support/client.js';
import { Gate, until } from './support/gate.js';

const image = makeImage({ layers: [300_000], seed: 'secret' });
const [layer = makeBlob(0, '')] = image.layers;
const nothing = Buffer.alloc(0);

/** Two namespaces of one registry, the second without credentials, and one of another registry. */
class Stage implements AsyncDisposable {
  readonly clock = new MovingClock();

  private constructor(
    readonly registry: FakeRegistry,
    readonly other: FakeRegistry,
    private readonly start: (clock: MovingClock) => Promise<Mirror>,
  ) {}

  mirror!: Mirror;

  static async set(options: MirrorOptions = {}): Promise<Stage> {
    const registry = await FakeRegistry.start({ auth: 'bearer', access: { 'team/private': 'private' } });
    const other = await FakeRegistry.start({ auth: 'basic', password: 'planted-other' });
    const upstreams = [
      { namespace: 'trusted.test', host: registry.host, username: 'user', password: 'planted-password' },
      { namespace: 'anonymous.test', host: registry.host },
      { namespace: 'other.test', host: other.host, username: 'user', password: 'planted-other' },
    ];
    const stage = new Stage(registry, other, (clock) => Mirror.start({ clock, upstreams, ...options }));
    stage.mirror = await stage.start(stage.clock);
    registry.addImage('team/private', image, ['latest']);
    return stage;
  }

  url(repository: string, path: string): string {
    return `${this.mirror.url}/v2/${repository}/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await Promise.all([this.registry.close(), this.other.close()]);
  }
}

/** Repositories that must not have the content, and why. */
const unconfigured = {
  'trusted.test/team/absent': 'the repository does not exist',
  'trusted.test/team/empty': 'the repository has other content',
  'anonymous.test/team/private': 'there are no credentials for the namespace',
  'anonymous.test/team/absent': 'neither',
  'other.test/team/private': 'it is a repository of the same name in another registry',
};
const paths = {
  blob: `blobs/${layer.digest}`,
  config: `blobs/${image.config.digest}`,
  manifest: `manifests/${image.manifest.digest}`,
};
const truths = { blob: layer.body, config: image.config.body, manifest: image.manifest.body };
type Kind = keyof typeof paths;

describe.concurrent.each(Object.entries(unconfigured))('%s, because %s,', (stranger) => {
  it.each(Object.keys(paths) as Kind[])('does not get a stored %s of another repository', async (kind) => {
    await using stage = await Stage.set();
    stage.registry.addBlob('team/empty', makeBlob(10, 'something else'));
    const owned = await pull(stage.url('trusted.test/team/private', paths[kind]), truths[kind]);
    expect(owned.verdict).toBe('right');
    await stage.mirror.settled();
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) {
      const outcome = await pull(stage.url(stranger, paths[kind]), nothing, { method });
      expect([401, 403, 404]).toContain(outcome.status);
      expect(outcome.headers['docker-content-digest']).toBeUndefined();
      if (method === 'GET') expect(outcome.verdict).toBe('refused');
      stage.clock.pass(60);
    }
    // Conditions and ranges are no way around it.
    for (const headers of [
      { 'if-none-match': `"${layer.digest}"` },
      { 'if-none-match': '*' },
      { range: 'bytes=0-0' },
    ] as Record<string, string>[])
      expect((await pull(stage.url(stranger, paths[kind]), nothing, { headers })).verdict).toBe('refused');
  });

  it.each(['blob', 'config'] as const)('does not get a running download of a %s', async (kind) => {
    await using stage = await Stage.set();
    const gate = new Gate();
    stage.registry.behaviour.before = async ({ kind: asked, method, repository }) => {
      if (asked === 'blob' && method === 'GET' && repository === 'team/private') await gate.opened;
    };
    const owner = pull(stage.url('trusted.test/team/private', paths[kind]), truths[kind]);
    await until(() => stage.registry.count({ kind: 'blob', repository: 'team/private' }) > 0, 'it was asked for');
    const isSamePlace = stranger === 'anonymous.test/team/private';
    for (const method of isSamePlace ? ['HEAD'] : ['HEAD', 'GET']) {
      const outcome = await pull(stage.url(stranger, paths[kind]), nothing, { method });
      expect([401, 403, 404]).toContain(outcome.status);
    }
    gate.open();
    expect((await owner).verdict).toBe('right');
  });

  it.each(['memory', 'filesystem'])(
    'does not get a blob by asking at the same moment, storage in %s',
    async (storage) => {
      for (let round = 0; round < 4; round += 1) {
        const provider: { storage?: StorageProvider } = storage === 'memory' ? { storage: new MemoryProvider() } : {};
        await using stage = await Stage.set(provider);
        const ask = (repository: string) => pull(stage.url(repository, paths.blob), layer.body);
        const order =
          round % 2 === 0 ? ['trusted.test/team/private', stranger] : [stranger, 'trusted.test/team/private'];
        const outcomes = Object.fromEntries(
          await Promise.all(order.map(async (name) => [name, await ask(name)] as const)),
        );
        expect(outcomes['trusted.test/team/private']?.verdict).toBe('right');
        expect(outcomes[stranger]?.verdict).toBe('refused');
      }
    },
  );
});

describe('a repository that has the same content', () => {
  it.each(['blob', 'manifest'] as const)(
    'gets a stored %s by a HEAD of its own registry, and from another one only what that sends',
    async (kind) => {
      await using stage = await Stage.set();
      stage.registry.addImage('team/public', image);
      stage.other.addImage('copy', image);
      await pull(stage.url('trusted.test/team/private', paths[kind]), truths[kind]);
      await stage.mirror.settled();
      stage.registry.reset();
      for (const [repository, how] of [
        ['trusted.test/team/public', 'REVALIDATED'],
        ['other.test/copy', 'MISS'],
        ['anonymous.test/team/public', 'MISS'],
      ] as const) {
        const first = await pull(stage.url(repository, paths[kind]), truths[kind]);
        expect([first.verdict, first.headers['x-cache']]).toEqual(['right', how]);
        await stage.mirror.settled();
        const second = await pull(stage.url(repository, paths[kind]), truths[kind]);
        expect([second.verdict, second.headers['x-cache']]).toEqual(['right', 'HIT']);
      }
      const asked = (of: FakeRegistry) =>
        of.requests.filter((request) => request.kind === kind && request.status === 200).map(({ method }) => method);
      expect([asked(stage.registry), asked(stage.other)]).toEqual([['HEAD', 'GET'], ['GET']]);
    },
  );

  it('is asked about under its own credentials', async () => {
    await using stage = await Stage.set();
    stage.registry.addImage('team/public', image);
    await pull(stage.url('trusted.test/team/private', paths.blob), layer.body);
    await stage.mirror.settled();
    stage.registry.reset();
    await pull(stage.url('anonymous.test/team/public', paths.blob), layer.body);
    const tokens = stage.registry.select({ kind: 'token' });
    expect(tokens.map(({ url }) => new URL(url, 'http://x').searchParams.get('scope'))).toEqual([
      'repository:team/public:pull',
    ]);
    expect(tokens.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('joins a running download when its own registry agrees', async () => {
    await using stage = await Stage.set();
    stage.registry.addImage('team/public', image);
    stage.registry.behaviour.bytesPerSecond = 600_000;
    stage.registry.behaviour.slowKinds = ['blob'];
    const owner = await Watcher.open(stage.url('trusted.test/team/private', paths.blob), layer.body);
    const joiner = await pull(stage.url('trusted.test/team/public', paths.blob), layer.body);
    expect([joiner.verdict, await owner.isWhole()]).toEqual(['right', true]);
    expect(stage.registry.count({ kind: 'blob', method: 'GET', status: 200 })).toBe(1);
    await stage.mirror.settled();
    const later = await pull(stage.url('trusted.test/team/public', paths.blob), layer.body);
    expect(later.headers['x-cache']).toBe('HIT');
  });

  it('joins what its own repository began without asking again', async () => {
    await using stage = await Stage.set();
    const url = stage.url('trusted.test/team/private', paths.blob);
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => pull(url, layer.body)));
    expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['right']));
    expect(stage.registry.select({ kind: 'blob', status: 200 }).map(({ method }) => method)).toEqual(['GET']);
  });

  it.each([404, 403, 401, 500])('is not refused because the repository that asked first was: %i', async (status) => {
    await using stage = await Stage.set();
    stage.registry.addBlob('team/copy', layer);
    const gate = new Gate();
    stage.registry.behaviour.before = async (request: RecordedRequest, response) => {
      if (request.kind !== 'blob' || request.repository !== 'team/private') return;
      await gate.opened;
      response.writeHead(status, { 'content-length': 0 }).end();
    };
    const first = pull(stage.url('trusted.test/team/private', paths.blob), nothing);
    await until(() => stage.registry.count({ kind: 'blob' }) > 0, 'the first was asked for');
    const copy = { kind: 'blob', repository: 'team/copy', status: 200 } as const;
    const second = pull(stage.url('trusted.test/team/copy', paths.blob), layer.body);
    await until(() => stage.registry.count({ ...copy, method: 'HEAD' }) > 0, 'the second was agreed to');
    const third = pull(stage.url('trusted.test/team/copy', paths.blob), layer.body);
    gate.open();
    expect((await first).verdict).toBe('refused');
    expect([(await second).verdict, (await third).verdict]).toEqual(['right', 'right']);
    expect(stage.registry.count({ ...copy, method: 'GET' })).toBe(1);
  });

  it('loses a tag, a manifest and a blob only together with its own registry', async () => {
    await using stage = await Stage.set();
    stage.registry.addImage('team/public', image, ['latest']);
    for (const repository of ['trusted.test/team/private', 'anonymous.test/team/public']) {
      expect((await pull(stage.url(repository, 'manifests/latest'), image.manifest.body)).verdict).toBe('right');
    }
    await stage.registry.stop();
    for (const repository of ['trusted.test/team/private', 'anonymous.test/team/public'])
      expect((await pull(stage.url(repository, paths.manifest), image.manifest.body)).verdict).toBe('right');
    expect((await pull(stage.url('other.test/team/private', paths.manifest), nothing)).verdict).toBe('refused');
  });
});
