import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import { FilesystemProvider } from '../providers/filesystem/filesystem.provider.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';
import { keysUnder, sample } from '../testing/content.js';
import { ContentStore } from './content.store.js';
import { UploadLost, UploadStore, type UploadSession } from './upload.store.js';

const repository = RepositoryRef.of(Namespace.parse('local'), 'team/app');
const content = sample(700_000);
const digest = Digest.of(content);
const day = 86_400_000;

/** Two processes on one storage. */
interface Setup {
  readonly provider: StorageProvider;
  readonly one: UploadStore;
  readonly two: UploadStore;
  /** Files of unfinished uploads. */
  leftovers(): Promise<string[]>;
  dispose(): Promise<void>;
}

function storesOn(provider: StorageProvider, other = provider): Pick<Setup, 'provider' | 'one' | 'two'> {
  return { provider, one: noted(new UploadStore(provider)), two: noted(new UploadStore(other)) };
}

const setups: Record<string, () => Promise<Setup>> = {
  'a folder': async () => {
    const root = await mkdtemp(join(tmpdir(), 'oci-registry-'));
    const providers = [new FilesystemProvider(root), new FilesystemProvider(root)] as const;
    for (const provider of providers) await provider.initialize();
    return {
      ...storesOn(...providers),
      leftovers: () => readdir(join(root, 'ingest')),
      dispose: () => rm(root, { recursive: true }),
    };
  },
  memory: () =>
    Promise.resolve({
      ...storesOn(new MemoryProvider()),
      leftovers: () => Promise.resolve([]),
      dispose: () => Promise.resolve(),
    }),
};

/** Its ingests end with their process. */
class PlainProvider extends MemoryProvider {
  override get resumable(): undefined {
    return undefined;
  }
}

/** The sessions that a test has opened, to be let go of by its end. */
const opened: UploadSession[] = [];

/** Notes every session that a store gives out. */
function noted(store: UploadStore): UploadStore {
  const { begin, claim } = store;
  store.begin = async (...args) => note(await begin.apply(store, args));
  store.claim = async (...args) => note(await claim.apply(store, args));
  return store;
}

function note<T extends UploadSession | undefined>(session: T): T {
  if (session) opened.push(session);
  return session;
}

afterEach(async () => {
  for (const session of opened.splice(0)) await session.release();
  await setup.dispose();
});

async function appendAll(session: UploadSession, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; done += 100_000) {
    const chunk = Buffer.from(bytes.subarray(done, done + 100_000));
    await session.append(chunk);
    // Its owner uses it for the next chunk.
    chunk.fill(0);
  }
}

let setup: Setup;

/** After it nothing of any session is left, and content has the bytes that its name says. */
async function expectOnly(...stored: Digest[]): Promise<void> {
  expect(await keysUnder(setup.provider, 'uploads')).toEqual([]);
  expect(await setup.leftovers()).toEqual([]);
  expect(await keysUnder(setup.provider, 'blobs')).toEqual(stored.map(keys.content));
  for (const one of stored) {
    expect(Digest.of(await setup.provider.read(keys.content(one), 1_000_000), one.algorithm).equals(one)).toBe(true);
  }
}

describe.each(Object.entries(setups))('upload sessions in %s', (_name, make) => {
  beforeEach(async () => (setup = await make()));

  const begin = async (bytes: Buffer, store = setup.one) => {
    const session = await store.begin(repository, { startedBy: 'someone' });
    await appendAll(session, bytes);
    return session;
  };

  it('commit what one process has received, and leave nothing behind', async () => {
    const session = await begin(content.subarray(0, 300_000));
    await session.checkpoint();
    expect(await keysUnder(setup.provider, 'blobs')).toEqual([]);
    await appendAll(session, content.subarray(300_000));
    expect(await session.commit(digest)).toBe(content.length);
    await expectOnly(digest);
    expect(await setup.one.find(session.id, 1)).toBeUndefined();
    expect(await setup.one.claim(session.id, 1)).toBeUndefined();
  });

  it('commit empty content', async () => {
    const empty = Digest.of(Buffer.alloc(0));
    expect(await (await begin(Buffer.alloc(0))).commit(empty)).toBe(0);
    await expectOnly(empty);
  });

  it('are found as they were recorded, with and without an epoch and with an old one', async () => {
    const session = await begin(content);
    await session.checkpoint();
    await session.append(sample(5));
    const record = { id: session.id, repository: 'local/team/app', size: content.length, startedBy: 'someone' };
    for (const epoch of [undefined, 1, 7]) {
      expect(await setup.two.find(session.id, epoch)).toMatchObject({ ...record, epoch: 1 });
    }
    await session.release();
    const claimed = await setup.two.claim(session.id, 1);
    expect(claimed).toMatchObject({ ...record, size: content.length + 5, epoch: 2 });
    for (const epoch of [undefined, 1, 2, 3, -1, 1.5, Number.NaN, 1e9, 1e21]) {
      expect(await setup.one.find(session.id, epoch)).toMatchObject({ epoch: 2, startedAt: session.startedAt });
    }
    await claimed?.abort();
    await expectOnly();
  });

  it.each(['', 'x', '../../etc/passwd', '0'.repeat(32), 'G'.repeat(32)])('are unknown with the id "%s"', async (id) => {
    expect(await setup.one.find(id)).toBeUndefined();
    expect(await setup.one.claim(id, 3)).toBeUndefined();
  });

  it('go on in another process, which hashes the stored bytes', async () => {
    await (await begin(content.subarray(0, 400_000))).release();
    const [id = ''] = await idsIn(setup.provider);
    const session = await setup.two.claim(id);
    await appendAll(session as UploadSession, content.subarray(400_000));
    expect(await session?.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('go back and forth between processes with each request', async () => {
    const { id, epoch } = await (async () => {
      const session = await begin(Buffer.alloc(0));
      await session.checkpoint();
      return session;
    })();
    let hint = epoch;
    for (let done = 0; done < content.length; done += 20_000) {
      const session = await (done % 40_000 === 0 ? setup.two : setup.one).claim(id, hint);
      expect(session?.size).toBe(done);
      await session?.append(content.subarray(done, done + 20_000));
      await session?.checkpoint();
      hint = session?.epoch ?? 0;
    }
    const session = await setup.one.claim(id, 1);
    expect(await session?.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('are taken from a process that still appends, whose bytes do not count', async () => {
    const before = await begin(content.subarray(0, 400_000));
    await before.checkpoint();
    await before.append(sample(100_000, 'lost'));
    const after = await setup.two.claim(before.id);
    expect(after?.size).toBe(400_000);
    await before.append(sample(100_000, 'lost too'));
    await expect(before.checkpoint()).rejects.toBeInstanceOf(UploadLost);
    await expect(before.append(sample(1))).rejects.toBeInstanceOf(UploadLost);
    await expect(before.commit(digest)).rejects.toBeInstanceOf(UploadLost);
    await before.abort();
    await before.release();
    await appendAll(after as UploadSession, content.subarray(400_000));
    expect(await after?.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('commit what was verified or are lost when another process claims them during the commit and goes on', async () => {
    const contents = new ContentStore(setup.provider);
    const commit = contents.commit.bind(contents);
    let other: UploadSession | undefined;
    contents.commit = async (...args) => {
      other = await setup.two.claim(id);
      await other?.append(sample(1_000, 'more'));
      await commit(...args);
    };
    const session = await noted(new UploadStore(setup.provider, contents)).begin(repository);
    const { id } = session;
    await appendAll(session, content);
    await session.checkpoint();
    const outcome: unknown = await session.commit(digest).catch((error: unknown) => error);
    await other?.append(sample(100_000, 'still more'));
    if (outcome === content.length) {
      await other?.abort();
      return expectOnly(digest);
    }
    expect(outcome).toBeInstanceOf(UploadLost);
    const longer = Buffer.concat([content, sample(1_000, 'more'), sample(100_000, 'still more')]);
    expect(await other?.commit(Digest.of(longer))).toBe(longer.length);
    await expectOnly(Digest.of(longer));
  });

  it('are refused to a process that comes back to them after another has gone on', async () => {
    const before = await begin(content.subarray(0, 400_000));
    await before.checkpoint();
    const after = await setup.two.claim(before.id, 1);
    await expect(before.append(sample(10))).rejects.toBeInstanceOf(UploadLost);
    await expect(before.commit(digest)).rejects.toBeInstanceOf(UploadLost);
    await appendAll(after as UploadSession, content.subarray(400_000));
    expect(await after?.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('belong to one of many processes that claim them at once, and lose no byte', async () => {
    const { id } = await (async () => {
      const session = await begin(content);
      await session.release();
      return session;
    })();
    const claims = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? setup.one : setup.two).claim(id)),
    );
    const claimed = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value as UploadSession] : []));
    expect(claimed.every(({ size }) => size === content.length)).toBe(true);
    for (const claim of claims) {
      if (claim.status === 'rejected') expect(claim.reason).toMatchObject({ name: 'StorageError', kind: 'failed' });
    }
    const results = await Promise.allSettled(claimed.map((session) => session.commit(digest)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expectOnly(digest);
  });

  it('end with a digest that does not match, from memory and hashed anew', async () => {
    const other = Digest.of(sample(3));
    expect(await (await begin(content)).commit(other)).toBeUndefined();
    const { id } = await begin(content).then(async (session) => {
      await session.release();
      return session;
    });
    expect(await (await setup.two.claim(id))?.commit(other)).toBeUndefined();
    await expectOnly();
  });

  it.each([undefined, 'sha512'] as const)(
    'commit under a sha512 digest when the client named %s',
    async (algorithm) => {
      const long = Digest.of(content, 'sha512');
      const session = await setup.one.begin(repository, { algorithm });
      await appendAll(session, content);
      expect(await session.commit(long)).toBe(content.length);
      await expectOnly(long);
    },
  );

  it('commit the same content twice at the same moment', async () => {
    const sessions = [await begin(content), await begin(content, setup.two)];
    expect(await Promise.all(sessions.map((session) => session.commit(digest)))).toEqual([700_000, 700_000]);
    await expectOnly(digest);
  });

  it('are not known any more when they are aborted', async () => {
    const session = await begin(content);
    await session.checkpoint();
    await session.abort();
    expect(await setup.two.claim(session.id, 1)).toBeUndefined();
    await expect(session.checkpoint()).rejects.toBeInstanceOf(UploadLost);
    await expectOnly();
  });

  it('are swept a day after their last byte, also those of a process that still has them', async () => {
    const [session, released] = [await begin(content), await begin(content, setup.two)];
    await session.checkpoint();
    await released.release();
    expect(await setup.two.sweep(day)).toBe(0);
    expect(await setup.two.find(session.id)).toBeDefined();
    expect(await setup.two.sweep(-1_000)).toBe(2);
    await expect(session.append(sample(1))).rejects.toBeInstanceOf(UploadLost);
    await session.release();
    await expectOnly();
  });

  it.each(['', '{"version":1', '{"version":2}', '{"version":1,"size":-1}', `{"version":1,"claims":1}`])(
    'are unknown when their record is %s',
    async (text) => {
      const session = await begin(content);
      await session.release();
      await setup.provider.write(keys.upload(session.id, 1), Buffer.from(text));
      expect(await setup.two.find(session.id, 1)).toBeUndefined();
      expect(await setup.two.claim(session.id)).toBeUndefined();
      await setup.two.sweep(-1_000);
      await expectOnly();
    },
  );

  it('are unknown when their bytes are gone, and leave nothing behind then', async () => {
    const session = await begin(content);
    await session.release();
    await setup.provider.resumable?.discard(session.id, '{"size":0}');
    expect(await setup.two.claim(session.id)).toBeUndefined();
    await expectOnly();
  });
});

async function idsIn(provider: StorageProvider): Promise<string[]> {
  return (await keysUnder(provider, 'uploads')).map((key) => key.slice('uploads/ab/'.length, -9));
}

describe('an upload session on a full disk', () => {
  it('can be ended although it cannot be claimed', async () => {
    const root = await mkdtemp(join(tmpdir(), 'oci-registry-'));
    try {
      const provider = new FilesystemProvider(root);
      await provider.initialize();
      const session = await noted(new UploadStore(provider)).begin(repository, {});
      await session.append(content);
      await session.checkpoint();
      await session.release();
      const full = new StorageError('full', 'ENOSPC');
      vi.spyOn(provider, 'create').mockRejectedValue(full);
      vi.spyOn(provider, 'write').mockRejectedValue(full);
      const store = noted(new UploadStore(provider));
      await expect(store.claim(session.id)).rejects.toBe(full);
      await store.discard(session.id);
      expect(await store.find(session.id)).toBeUndefined();
      expect(await readdir(join(root, 'ingest'))).toEqual([]);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe('upload sessions with a quota', () => {
  beforeEach(async () => (setup = await (setups.memory as () => Promise<Setup>)()));

  it('count while they are written, and are refused beyond it', async () => {
    const space = new SpaceLedger(1_000_000);
    const contents = new ContentStore(setup.provider, undefined, space);
    const store = new UploadStore(setup.provider, contents, space);
    const [one, two] = [await store.begin(repository), await store.begin(repository)];
    await appendAll(one, content);
    await one.checkpoint();
    await appendAll(two, content.subarray(0, 200_000));
    await expect(two.append(content.subarray(200_000, 400_000))).rejects.toMatchObject({ kind: 'full' });
    await two.abort();
    await one.release();
    const again = await store.claim(one.id);
    await expect(store.begin(repository).then((late) => appendAll(late, content))).rejects.toMatchObject({
      kind: 'full',
    });
    expect(await again?.commit(digest)).toBe(content.length);
    expect(space.bytes).toBeGreaterThanOrEqual(content.length);
  });
});

describe('upload sessions of a provider whose ingests end with their process', () => {
  beforeEach(() => {
    const provider = new PlainProvider();
    const nothing = { leftovers: () => Promise.resolve([]), dispose: () => Promise.resolve() };
    setup = { ...storesOn(provider), ...nothing };
  });

  it('go on in this process, also after a cut, and are unknown in every other', async () => {
    const before = await setup.one.begin(repository);
    await appendAll(before, content.subarray(0, 400_000));
    await before.checkpoint();
    await before.append(sample(10, 'cut'));
    expect(await setup.two.claim(before.id)).toBeUndefined();
    expect(await keysUnder(setup.provider, 'uploads')).toEqual([]);
    const after = await setup.one.claim(before.id, 1);
    expect(after?.size).toBe(400_000);
    await expect(before.append(sample(1))).rejects.toMatchObject({ name: 'StorageError' });
    await appendAll(after as UploadSession, content.subarray(400_000));
    expect(await after?.commit(digest)).toBe(content.length);
    await expectOnly(digest);
  });

  it('end with their process', async () => {
    const session = await setup.one.begin(repository);
    await appendAll(session, content);
    await session.release();
    await setup.one.onModuleDestroy();
    expect(await setup.one.claim(session.id)).toBeUndefined();
  });

  it('are bounded: beyond 256 the one that has waited longest ends', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const first = await setup.one.begin(repository);
      for (let count = 1; count < 256; count += 1) await setup.one.begin(repository);
      await expect(setup.one.begin(repository)).rejects.toMatchObject({ kind: 'failed' });
      vi.advanceTimersByTime(60_000);
      await setup.one.begin(repository);
      expect(await setup.one.claim(first.id)).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('upload sessions that were left in a folder', () => {
  beforeEach(async () => (setup = await (setups['a folder'] as () => Promise<Setup>)()));

  it('are swept with bytes that no record names, once these are old', async () => {
    const session = await setup.one.begin(repository);
    await appendAll(session, content);
    await session.release();
    await setup.provider.delete(keys.upload(session.id, 1));
    expect(await setup.two.sweep(day)).toBe(0);
    const root = (setup.provider as unknown as { root: string }).root;
    const folder = join(root, 'ingest', session.id);
    const old = new Date(Date.now() - 2 * day);
    for (const file of await readdir(folder)) await utimes(join(folder, file), old, old);
    await utimes(folder, old, old);
    expect(await setup.two.sweep(day)).toBe(1);
    await expectOnly();
  });
});
