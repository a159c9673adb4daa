import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { keys } from '../../../src/storage/keys.js';
import { FilesystemProvider } from '../../../src/storage/providers/filesystem/filesystem.provider.js';
import type { StorageProvider } from '../../../src/storage/storage.provider.js';
import { ContentStore } from '../../../src/storage/stores/content.store.js';
import { HostedStore } from '../../../src/storage/stores/hosted/hosted.store.js';
import { sizes } from '../../sizes.js';
import { HandClock, SharedMemory } from './support/hand-clock.js';
import { app, digestOf, HostedRegistry, image, refusal } from './support/registry.js';
import { ageBy } from './support/ageing.js';

const other = RepositoryRef.parse('local/other');
const orphan = 'orphan';
const key = keys.content(digestOf(orphan));

/** Two replicas on one storage, in which what is there can be made old. */
interface Scene extends AsyncDisposable {
  readonly storage: StorageProvider;
  readonly one: HostedRegistry;
  readonly other: HostedRegistry;
  age(): Promise<void>;
}

let clock: HandClock | undefined;
afterEach(() => clock?.[Symbol.dispose]());

async function start(storage: StorageProvider, options: object, age: () => Promise<void>): Promise<Scene> {
  const server = (port: number) => ({ sweepInterval: 0, advertiseUrl: `http://127.0.0.1:${port}` });
  const [one, two] = [
    await HostedRegistry.start({}, { storage, ...options, server: server(1) }),
    await HostedRegistry.start({}, { storage, ...options, server: server(2) }),
  ];
  const dispose = async () => {
    await two[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
  };
  return { storage, one, other: two, age, [Symbol.asyncDispose]: dispose };
}

const storages: [string, () => Promise<Scene>][] = [
  [
    'in memory',
    () => {
      const hand = (clock = new HandClock());
      return start(new SharedMemory(), { clock: hand }, async () => {
        await Promise.resolve();
        hand.pass(2);
      });
    },
  ],
  [
    'on a file system',
    async () => {
      const root = await mkdtemp(join(tmpdir(), 'oci-registry-e2e-'));
      const scene = await start(new FilesystemProvider(root), {}, () => ageBy(root, 48));
      const dispose = async () => {
        await scene[Symbol.asyncDispose]();
        await rm(root, { recursive: true });
      };
      return { ...scene, [Symbol.asyncDispose]: dispose };
    },
  ],
];

/** Lets something happen between the sweep's last look at the content and its removal. */
function beforeRemoval({ storage }: Scene, happening: () => Promise<unknown>): void {
  const remove = storage.delete.bind(storage);
  storage.delete = async (removed) => {
    if (removed !== key) return remove(removed);
    storage.delete = remove;
    await happening();
    await remove(removed);
  };
}

/** Until the operation has ended, or waits for something. */
const ended = (operation: Promise<unknown>) => Promise.race([operation, sleep(500)]);

describe.each(storages)('content that a sweep is about to remove %s', (_where, make) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await make();
    await scene.one.pushBlob('{}');
    await scene.one.pushBlob('{}', other);
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  const sweep = () => scene.one.mirror.app.get(SweepService).run();

  /** Content without any record. */
  async function leave(content: string): Promise<void> {
    const contents = scene.one.mirror.app.get(ContentStore);
    const ingest = await contents.createIngest(digestOf(content));
    await ingest.append(Buffer.from(content));
    await contents.commit(ingest, digestOf(content));
    await ingest.close();
  }

  it('is there when a push of the same at another replica has been acknowledged', async () => {
    await leave(orphan);
    await scene.age();
    let pushed: Promise<string> = Promise.resolve('nothing');
    beforeRemoval(scene, async () => {
      pushed = refusal(scene.other.pushBlob(orphan, other));
      await ended(pushed);
    });
    await sweep();
    expect(await pushed).toBe('none');
    expect((await scene.one.readBlob(digestOf(orphan), other)).toString()).toBe(orphan);
  });

  it('is there when it was mounted, or else is not mounted', async () => {
    await leave(orphan);
    await scene.age();
    let mounted: Promise<boolean> = Promise.resolve(false);
    beforeRemoval(scene, async () => {
      // As by a replica that has just recorded it and ended.
      await scene.other.mirror.app.get(HostedStore).putBlob(app, digestOf(orphan), { size: orphan.length });
      mounted = scene.other.uploads.mount(other, digestOf(orphan), app);
      await ended(mounted);
    });
    await sweep();
    const isThere = (await refusal(scene.one.blobs.head(other, digestOf(orphan)))) === 'none';
    expect(await mounted).toBe(isThere);
  });

  it('is there when it was pushed as a manifest', async () => {
    const manifest = image([]);
    await leave(manifest.toString());
    await scene.age();
    for (const blob of [digestOf('{}')]) await scene.other.blobs.head(other, blob);
    let pushed: Promise<string> = Promise.resolve('nothing');
    const remove = scene.storage.delete.bind(scene.storage);
    scene.storage.delete = async (removed) => {
      if (removed === keys.content(digestOf(manifest))) {
        pushed = refusal(scene.other.put('v1', manifest, {}, other));
        await ended(pushed);
      }
      await remove(removed);
    };
    await sweep();
    expect(await pushed).toBe('none');
    expect((await scene.one.get('v1', other)).body.equals(manifest)).toBe(true);
  });

  it('is left when it was used since it was listed', async () => {
    await leave(orphan);
    await scene.age();
    const { storage } = scene;
    const list = storage.list.bind(storage);
    storage.list = async function* (prefix) {
      for await (const entry of list(prefix)) {
        if (entry.key === key) await scene.other.pushBlob(orphan, other);
        yield entry;
      }
    };
    await sweep();
    expect((await scene.one.readBlob(digestOf(orphan), other)).toString()).toBe(orphan);
  });
});

it('content that one process removes and takes into use at the same time is not lost', async () => {
  const hand = (clock = new HandClock());
  const storage = new SharedMemory();
  await using registry = await HostedRegistry.start({}, { clock: hand, storage, server: { sweepInterval: 0 } });
  await registry.pushBlob(orphan);
  await registry.blobs.delete(app, digestOf(orphan));
  hand.pass(2);
  let pushed: Promise<unknown> = Promise.resolve();
  const remove = storage.delete.bind(storage);
  storage.delete = async (removed) => {
    if (removed === key) {
      pushed = registry.pushBlob(orphan);
      await sleep(200);
    }
    await remove(removed);
  };
  await registry.mirror.app.get(SweepService).run();
  await pushed;
  expect((await registry.readBlob(digestOf(orphan))).toString()).toBe(orphan);
});

it('content is pushed and removed again and again by two replicas, and every acknowledged push is whole', async () => {
  const server = (port: number) => ({ sweepInterval: 0, advertiseUrl: `http://127.0.0.1:${port}` });
  await using one = await HostedRegistry.start({}, { server: server(1) });
  const { root } = one.mirror;
  await using two = await HostedRegistry.start({}, { root, server: server(2) });
  const store = one.mirror.app.get(HostedStore);
  const sweeps = two.mirror.app.get(SweepService);
  const then = () => new Date(Date.now() - 2 * 86_400_000);
  let left = 6;
  let runs = 0;
  const push = async (client: number) => {
    const content = `content of ${client}`;
    const digest = digestOf(content);
    for (let round = 0; round < sizes.roundsOfPushes * 2; round += 1) {
      await one.pushBlob(content);
      expect((await one.readBlob(digest)).toString()).toBe(content);
      await sleep((client * 7 + round * 3) % 15);
      expect((await one.readBlob(digest)).toString()).toBe(content);
      // As garbage collection leaves it, days later.
      await store.removeBlob(app, digest);
      await utimes(join(root, keys.content(digest)), then(), then()).catch(() => undefined);
      await sleep((client * 11 + round * 5) % 15);
      for (const before = runs; round % 10 === 9 && runs < before + 2;) await sleep(5);
    }
  };
  const pushing = Array.from({ length: left }, (_, client) =>
    push(client).finally(() => {
      left -= 1;
    }),
  );
  const sweeping = (async () => {
    let removed = 0;
    for (; left > 0; runs += 1) removed += (await sweeps.run()).removedContents;
    return removed;
  })();
  await Promise.all(pushing);
  expect(await sweeping).toBeGreaterThan(0);
});
