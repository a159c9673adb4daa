import { Logger } from '@nestjs/common';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { nodeFileSystem, type FileSystem } from '../../providers/filesystem/file-system.js';
import { FilesystemProvider } from '../../providers/filesystem/filesystem.provider.js';
import { keysUnder, sample } from '../../testing/content.js';
import { ContentStore } from '../content.store.js';
import { SecretStore } from '../secret.store.js';
import { UploadStore } from '../upload.store.js';
import { SpaceLedger } from '../../space/space.ledger.js';
import { EmptySessions } from './empty.sessions.js';

const repository = RepositoryRef.of(Namespace.parse('local'), 'team/app');
const owner = { repository: repository.toString(), startedBy: 'alice' };
const content = sample(20_000);
const digest = Digest.of(content);

let root: string;

beforeAll(() => Logger.overrideLogger(false));
beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'oci-registry-'))));
afterEach(async () => {
  vi.useRealTimers();
  await rm(root, { recursive: true });
});

/** A process that alone writes the storage. */
async function start(files?: FileSystem): Promise<{ store: UploadStore; provider: FilesystemProvider }> {
  const provider = new FilesystemProvider(root, files);
  await provider.initialize();
  const empty = new EmptySessions(new SecretStore(provider));
  return { provider, store: new UploadStore(provider, new ContentStore(provider), new SpaceLedger(), empty) };
}

const begin = (store: UploadStore) => store.begin(repository, { startedBy: 'alice', algorithm: 'sha512' });
const recorded = (provider: FilesystemProvider) => keysUnder(provider, 'uploads');

describe('a session without a byte, in the only process', () => {
  it('is known, and has no file', async () => {
    let opened = 0;
    const open: FileSystem['open'] = (...args) => {
      opened += 1;
      return nodeFileSystem.open(...args);
    };
    const { store, provider } = await start({ ...nodeFileSystem, open });
    // The key, once.
    await begin(store);
    opened = 0;
    const session = await begin(store);
    const { id, begun } = session;
    expect(begun).toContain('.sha512.');
    expect(await store.find(id)).toMatchObject({ ...owner, size: 0, epoch: 1, algorithm: 'sha512', begun });
    await session.assertHeld();
    await session.abort();
    expect(await store.find(id)).toBeUndefined();
    expect(opened).toBe(0);
    expect(await recorded(provider)).toEqual([]);
    expect(await readdir(join(root, 'ingest'))).toEqual([]);
  });

  it('has a record from its first byte on, or once the process lets go of it', async () => {
    const { store, provider } = await start();
    const [pushed, idle] = [await begin(store), await begin(store)];
    await pushed.append(content);
    await pushed.checkpoint();
    expect(pushed.begun).toBeUndefined();
    expect(await recorded(provider)).toHaveLength(1);
    await idle.release();
    expect(await recorded(provider)).toHaveLength(2);
    const { store: other } = await start();
    expect(await other.find(pushed.id)).toMatchObject({ ...owner, size: content.length });
    expect(await other.find(idle.id)).toMatchObject({ ...owner, size: 0 });
    const claimed = await other.claim(pushed.id, 1);
    expect(await claimed?.commit(digest)).toBe(content.length);
    expect(await (await store.claim(idle.id))?.commit(Digest.of(Buffer.alloc(0)))).toBe(0);
    expect(await recorded(provider)).toEqual([]);
  });

  it('can be claimed again when appending has failed', async () => {
    let isFull = false;
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const { store, provider } = await start({
      ...nodeFileSystem,
      open: (...args) => (isFull ? Promise.reject(full) : nodeFileSystem.open(...args)),
    });
    const session = await begin(store);
    isFull = true;
    await expect(session.append(content)).rejects.toMatchObject({ kind: 'full' });
    isFull = false;
    await session.release();
    const again = await store.claim(session.id, 1);
    await again?.append(content);
    expect(await again?.commit(digest)).toBe(content.length);
    expect(await recorded(provider)).toEqual([]);
  });

  it('can be claimed before the process has let go of it', async () => {
    const { store } = await start();
    const session = await begin(store);
    const released = session.release();
    const again = await store.claim(session.id, 1);
    await released;
    await again?.append(content);
    expect(await again?.commit(digest)).toBe(content.length);
  });
});

describe('a session without a byte that has ended', () => {
  it('does not come back in its process, however many others there are', async () => {
    const { store } = await start();
    const ended = await begin(store);
    await ended.abort();
    const live = await begin(store);
    for (let count = 0; count < 20_100; count += 1) await (await begin(store)).abort();
    await store.restore(ended.id, ended.begun, owner);
    expect(await store.find(ended.id, 1)).toBeUndefined();
    await store.restore(live.id, live.begun, owner);
    await live.append(content);
    expect(await live.commit(digest)).toBe(content.length);
    expect(await store.find(live.id, 1)).toBeUndefined();
  });

  it('does not come back after its process has ended in an orderly way', async () => {
    const { store } = await start();
    const [ended, idle] = [await begin(store), await begin(store)];
    await ended.abort();
    await idle.release();
    await store.end();
    const { store: next } = await start();
    await next.restore(ended.id, ended.begun, owner);
    expect(await next.find(ended.id, 1)).toBeUndefined();
    expect(await next.find(idle.id, 1)).toMatchObject({ ...owner, size: 0 });
    expect((await begin(next)).begun).not.toBe(ended.begun);
  });
});

describe('a session without a byte, after its process was killed', () => {
  it('goes on with what its URL says, for its client, once', async () => {
    const { id, begun } = await begin((await start()).store);
    const { store, provider } = await start();
    expect(await store.find(id, 1)).toBeUndefined();
    await Promise.all([store.restore(id, begun, owner), store.restore(id, begun, owner)]);
    expect(await store.find(id, 1)).toMatchObject({ ...owner, size: 0, epoch: 1, algorithm: 'sha512' });
    const session = await store.claim(id, 1);
    await session?.append(content);
    expect(await session?.commit(digest)).toBe(content.length);
    // It has ended here.
    await store.restore(id, begun, owner);
    expect(await store.find(id, 1)).toBeUndefined();
    expect(await recorded(provider)).toEqual([]);
  });

  it('is not begun again where it has bytes', async () => {
    const before = await start();
    const session = await begin(before.store);
    const { begun } = session;
    await session.append(content);
    await session.checkpoint();
    const { store } = await start();
    await store.restore(session.id, begun, owner);
    expect(await store.find(session.id, 1)).toMatchObject({ size: content.length });
  });

  it.each([
    ['another client', (begun: string) => ({ begun, startedBy: 'bob' })],
    ['nobody', (begun: string) => ({ begun, startedBy: undefined })],
    ['another repository', (begun: string) => ({ begun, repository: 'local/team/other' })],
    ['another session', (begun: string) => ({ begun, id: '0'.repeat(32) })],
    ['another time', (begun: string) => ({ begun: `1${begun}` })],
    ['another algorithm', (begun: string) => ({ begun: begun.replace('sha512', 'sha256') })],
    ['another process', (begun: string) => ({ begun: begun.replace(/[.][^.]{8}[.]/, '.AAAAAAAA.') })],
    ['no proof', (begun: string) => ({ begun: begun.slice(0, -22) })],
    ['another proof', (begun: string) => ({ begun: begun.slice(0, -22) + 'A'.repeat(22) })],
    ['nonsense', () => ({ begun: '..' })],
  ])('is unknown to %s, and still goes on for its client', async (_name, change) => {
    const { id, begun = '' } = await begin((await start()).store);
    const { store } = await start();
    const wrong = { ...owner, id, ...change(begun) };
    await store.restore(wrong.id, wrong.begun, wrong);
    expect(await store.find(wrong.id, 1)).toBeUndefined();
    await store.restore(id, begun, owner);
    expect(await store.find(id, 1)).toMatchObject(owner);
  });

  it('is unknown a day later', async () => {
    const { id, begun } = await begin((await start()).store);
    const { store } = await start();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 + 1 });
    await store.restore(id, begun, owner);
    expect(await store.find(id, 1)).toBeUndefined();
  });
});
