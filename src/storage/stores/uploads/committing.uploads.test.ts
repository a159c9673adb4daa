import { Logger } from '@nestjs/common';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import { nodeFileSystem, type FileSystem } from '../../providers/filesystem/file-system.js';
import { FilesystemProvider } from '../../providers/filesystem/filesystem.provider.js';
import { orAbsent } from '../../storage-error.js';
import { keysUnder, sample } from '../../testing/content.js';
import { UploadStore, type UploadSession } from '../upload.store.js';

const repository = RepositoryRef.of(Namespace.parse('local'), 'team/app');
const content = sample(200_000);
const digest = Digest.of(content);
const foreign = sample(200_000, 'foreign');

let root: string;

// What cannot be removed is logged.
beforeAll(() => Logger.overrideLogger(false));
beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'oci-registry-'))));
afterEach(() => rm(root, { recursive: true }));

async function storeOn(files?: FileSystem): Promise<{ store: UploadStore; provider: FilesystemProvider }> {
  const provider = new FilesystemProvider(root, files);
  await provider.initialize();
  return { provider, store: new UploadStore(provider) };
}

async function begin(store: UploadStore): Promise<UploadSession> {
  const session = await store.begin(repository);
  await session.append(content);
  await session.checkpoint();
  return session;
}

async function claim(store: UploadStore, id: string): Promise<UploadSession> {
  const session = await store.claim(id);
  if (!session) throw new Error('there is no such session');
  return session;
}

/** Stands for the record that takes content into use. */
const link = (provider: FilesystemProvider) => () => provider.write(keys.state('usage'), Buffer.from('{}'));
const isLinked = async (provider: FilesystemProvider) =>
  (await orAbsent(provider.stat(keys.state('usage')))) !== undefined;

async function expectOnlyContent(provider: FilesystemProvider, ...stored: Digest[]): Promise<void> {
  expect(await keysUnder(provider, 'uploads')).toEqual([]);
  expect(await readdir(join(root, 'ingest'))).toEqual([]);
  const expected = stored.map(keys.content).sort();
  expect((await keysUnder(provider, 'blobs')).sort()).toEqual(expected);
  for (const one of stored) expect(Digest.of(await provider.read(keys.content(one), 1_000_000)).equals(one)).toBe(true);
}

/** Every call from a certain one on fails, as if the process had ended there. */
class DyingProcess {
  calls = 0;
  endsAt = Infinity;
  readonly files: FileSystem = Object.fromEntries(
    Object.entries(nodeFileSystem).map(([name, call]) => [
      name,
      async (...args: unknown[]) => {
        this.count();
        const result: unknown = await (call as (...values: unknown[]) => Promise<unknown>)(...args);
        if (name !== 'open') return result;
        const handle = result as Record<string, (...values: unknown[]) => Promise<unknown>>;
        for (const method of ['write', 'sync', 'read', 'stat']) {
          const inner = handle[method]?.bind(handle);
          Object.assign(handle, {
            [method]: (...values: unknown[]) => Promise.resolve().then(() => (this.count(), inner?.(...values))),
          });
        }
        return handle;
      },
    ]),
  ) as unknown as FileSystem;

  private count(): void {
    this.calls += 1;
    if (this.calls >= this.endsAt) throw Object.assign(new Error('the process has ended'), { code: 'EIO' });
  }
}

describe('a commit of a process that is killed', () => {
  it('can be repeated after every call, until the content has been taken into use', async () => {
    const counting = new DyingProcess();
    const counted = await storeOn(counting.files);
    const first = await begin(counted.store);
    counting.calls = 0;
    await first.commit(digest, link(counted.provider));
    const steps = counting.calls;
    expect(steps).toBeGreaterThan(20);
    const states = new Set<string>();
    for (let step = 1; step <= steps; step += 1) {
      await rm(root, { recursive: true });
      const dying = new DyingProcess();
      const before = await storeOn(dying.files);
      const session = await begin(before.store);
      [dying.calls, dying.endsAt] = [0, step];
      const outcome = await session.commit(digest, link(before.provider)).catch(() => undefined);
      const { store, provider } = await storeOn();
      const wasLinked = await isLinked(provider);
      if (outcome !== undefined) expect(wasLinked).toBe(true);
      const record = await store.find(session.id, 1);
      states.add(record?.committing === undefined ? 'open' : 'committing');
      if (record !== undefined || !wasLinked) {
        expect(record?.size, `step ${step}`).toBe(content.length);
        expect(await (await claim(store, session.id)).commit(digest, link(provider)), `step ${step}`).toBe(200_000);
      }
      expect(await isLinked(provider)).toBe(true);
      await store.sweep(-1_000);
      await provider.sweepIngests(-1_000);
      await expectOnlyContent(provider, digest);
    }
    expect([...states].sort()).toEqual(['committing', 'open']);
  }, 60_000);

  it('goes on when the content could not be taken into use, and is unknown when the content has gone since', async () => {
    const { store, provider } = await storeOn();
    const failure = new Error('planned');
    const session = await begin(store);
    await expect(session.commit(digest, () => Promise.reject(failure))).rejects.toBe(failure);
    const again = await claim(store, session.id);
    expect(again).toMatchObject({ size: content.length, committing: digest.toString(), epoch: 2 });
    await expect(again.append(sample(1))).rejects.toMatchObject({ name: 'StorageError' });
    await again.release();
    expect(await store.isCommitted(again)).toBe(true);
    await provider.delete(keys.content(digest));
    expect(await store.isCommitted(again)).toBe(false);
    expect(await store.claim(session.id)).toBeUndefined();
    await expectOnlyContent(provider);
  });

  it('gives nothing to a client that only knows the digest of other content', async () => {
    const { store, provider } = await storeOn();
    const other = Digest.of(foreign);
    await provider.write(keys.content(other), foreign);
    let uses = 0;
    const use = () => Promise.resolve(uses++);
    const [open, committed] = [await begin(store), await begin(store)];
    await expect(committed.commit(digest, () => Promise.reject(new Error('planned')))).rejects.toThrow('planned');
    for (const { id } of [open, committed]) {
      expect(await (await claim(store, id)).commit(other, use)).toBeUndefined();
      expect(await store.find(id)).toBeUndefined();
    }
    expect(uses).toBe(0);
    await expectOnlyContent(provider, other, digest);
  });
});

/** Stops a process while it makes content of its bytes. */
function stopping(at: 'before' | 'after', stop: () => Promise<void>): FileSystem {
  let isOver = false;
  return {
    ...nodeFileSystem,
    rename: async (from, to) => {
      const stops = !isOver && to.includes('/blobs/');
      isOver ||= stops;
      if (stops && at === 'before') await stop();
      await nodeFileSystem.rename(from, to);
      if (stops && at === 'after') await stop();
    },
  };
}

describe('a commit', () => {
  it('takes content into use while it is stored, and ends when both are done', async () => {
    let use: (() => void) | undefined;
    const used = new Promise<void>((resolve) => (use = resolve));
    const { store, provider } = await storeOn(stopping('before', () => used));
    const session = await begin(store);
    let isStored = false;
    const size = await session.commit(digest, async (_size, stored) => {
      use?.();
      await stored;
      isStored = (await orAbsent(provider.stat(keys.content(digest)))) !== undefined;
      await link(provider)();
    });
    expect([size, isStored, await isLinked(provider)]).toEqual([content.length, true, true]);
    await expectOnlyContent(provider, digest);
  });

  it('that fails waits for what takes the content into use, and leaves no session', async () => {
    const failure = Object.assign(new Error('broken'), { code: 'EIO' });
    const { store, provider } = await storeOn(stopping('before', () => Promise.reject(failure)));
    const session = await begin(store);
    const committed = session.commit(digest, async (_size, stored) => {
      await stored.catch(() => undefined);
      await link(provider)();
    });
    await expect(committed).rejects.toMatchObject({ kind: 'failed' });
    expect(await isLinked(provider)).toBe(true);
    expect(await store.find(session.id)).toBeUndefined();
    await expectOnlyContent(provider);
  });
});

describe('a session that two processes commit at the same moment', () => {
  it.each(['before', 'after'] as const)(
    'ends well for both when the other claims and commits it %s the bytes become content',
    async (at) => {
      const { store: other, provider } = await storeOn();
      let id = '';
      let outcome: number | undefined;
      const { store } = await storeOn(
        stopping(at, async () => {
          outcome = await (await claim(other, id)).commit(digest, link(provider));
        }),
      );
      const session = await begin(store);
      id = session.id;
      expect(await session.commit(digest, link(provider))).toBe(content.length);
      expect(outcome).toBe(content.length);
      await expectOnlyContent(provider, digest);
    },
  );

  it('ends well for both when the other claims it before and commits it after the bytes become content', async () => {
    const { store: other, provider } = await storeOn();
    let claimed: UploadSession | undefined;
    const { store } = await storeOn(stopping('before', async () => void (claimed = await claim(other, session.id))));
    const session = await begin(store);
    expect(await session.commit(digest, link(provider))).toBe(content.length);
    expect(claimed?.size).toBe(content.length);
    expect(await claimed?.commit(digest, link(provider))).toBe(content.length);
    await expectOnlyContent(provider, digest);
  });

  it('ends well for both when the other commits it while the content is taken into use', async () => {
    const { store: other, provider } = await storeOn();
    const { store } = await storeOn();
    const session = await begin(store);
    const size = await session.commit(digest, async () => {
      expect(await (await claim(other, session.id)).commit(digest, link(provider))).toBe(content.length);
    });
    expect(size).toBe(content.length);
    await expectOnlyContent(provider, digest);
  });
});
