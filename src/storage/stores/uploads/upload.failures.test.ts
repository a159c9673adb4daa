import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import { nodeFileSystem, type FileSystem } from '../../providers/filesystem/file-system.js';
import { FilesystemProvider } from '../../providers/filesystem/filesystem.provider.js';
import { keysUnder, sample } from '../../testing/content.js';
import { UploadStore } from '../upload.store.js';

const repository = RepositoryRef.of(Namespace.parse('local'), 'team/app');
const content = sample(700_000);
const digest = Digest.of(content);

let root: string;

beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'oci-registry-'))));
afterEach(() => rm(root, { recursive: true }));

async function storeOn(files?: FileSystem): Promise<{ store: UploadStore; provider: FilesystemProvider }> {
  const provider = new FilesystemProvider(root, files);
  await provider.initialize();
  return { provider, store: new UploadStore(provider) };
}

/** The content is stored once, and nothing else is left. */
async function expectOnlyContent(provider: FilesystemProvider): Promise<void> {
  expect(await keysUnder(provider, 'uploads')).toEqual([]);
  expect(await readdir(join(root, 'ingest'))).toEqual([]);
  expect(await keysUnder(provider, 'blobs')).toEqual([keys.content(digest)]);
  expect(Digest.of(await provider.read(keys.content(digest), 1_000_000)).equals(digest)).toBe(true);
}

/** What a session does, so that each system call of it can fail. */
async function push(store: UploadStore, note: (id: string) => void = () => undefined): Promise<void> {
  const session = await store.begin(repository);
  note(session.id);
  try {
    await session.append(content.subarray(0, 300_000));
    await session.checkpoint();
    await session.append(content.subarray(300_000, 600_000));
    await session.checkpoint();
  } catch (error) {
    await session.release();
    throw error;
  }
  await session.release();
  const again = await store.claim(session.id);
  if (!again) throw new Error('the session is gone');
  try {
    await again.append(content.subarray(600_000));
    await again.checkpoint();
    expect(await again.commit(digest)).toBe(content.length);
  } catch (error) {
    await again.release();
    throw error;
  }
}

/** Fails calls that need space from a certain one on. */
class FullDisk {
  calls = 0;
  fullFrom = Infinity;

  readonly files: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      if (typeof flags === 'number' && mode !== undefined) this.count();
      const handle = await nodeFileSystem.open(path, flags, mode);
      const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<{ bytesWritten: number }>;
      const sync = handle.sync.bind(handle);
      return Object.assign(handle, {
        write: async (...args: unknown[]) => {
          this.count();
          return write(...args);
        },
        sync: async () => {
          this.count();
          return sync();
        },
      });
    },
    mkdir: async (path, options) => {
      this.count();
      await nodeFileSystem.mkdir(path, options);
    },
    rename: async (from, to) => {
      this.count();
      return nodeFileSystem.rename(from, to);
    },
    link: async (from, to) => {
      this.count();
      return nodeFileSystem.link(from, to);
    },
  };

  private count(): void {
    this.calls += 1;
    if (this.calls >= this.fullFrom) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  }
}

describe('the cost of an upload session', () => {
  it('is two syncs for a small layer, which are those of its content', async () => {
    let syncs = 0;
    const files: FileSystem = {
      ...nodeFileSystem,
      open: async (...args) => {
        const handle = await nodeFileSystem.open(...args);
        const sync = handle.sync.bind(handle);
        return Object.assign(handle, {
          sync: () => {
            syncs += 1;
            return sync();
          },
        });
      },
    };
    const { store, provider } = await storeOn(files);
    const small = sample(20_000);
    // The folders of the content and of the records.
    await provider.write(keys.content(Digest.of(small)), small);
    for (let byte = 0; byte < 256; byte += 1) {
      await provider.write(`${keys.uploads(byte.toString(16).padStart(2, '0'))}/folder`, Buffer.alloc(0));
    }
    syncs = 0;
    const session = await store.begin(repository);
    await session.append(small);
    await session.checkpoint();
    expect(syncs).toBe(0);
    expect(await session.commit(Digest.of(small))).toBe(small.length);
    expect(syncs).toBe(2);
  });
});

describe('upload sessions on a disk that is full', () => {
  it('fail as full at every step, keep what was recorded, and are whole when there is space again', async () => {
    const counting = new FullDisk();
    await push((await storeOn(counting.files)).store);
    await rm(root, { recursive: true });
    const steps = counting.calls;
    expect(steps).toBeGreaterThan(30);
    for (let step = 1; step <= steps; step += 1) {
      const disk = new FullDisk();
      const { store, provider } = await storeOn(disk.files);
      [disk.calls, disk.fullFrom] = [0, step];
      let id = '';
      const failure = await push(store, (begun) => (id = begun)).catch((error: unknown) => error);
      disk.fullFrom = Infinity;
      if (disk.calls >= step) expect(failure, `step ${step}`).toMatchObject({ name: 'StorageError', kind: 'full' });
      const isStored = (await keysUnder(provider, 'blobs')).length > 0;
      const session = (await store.claim(id)) ?? (await store.begin(repository));
      expect([0, 300_000, 600_000, 700_000]).toContain(session.size);
      await session.append(content.subarray(session.size));
      expect(await session.commit(digest)).toBe(content.length);
      expect(isStored && failure instanceof Error).toBe(false);
      await store.sweep(-1_000);
      await expectOnlyContent(provider);
      await provider.close();
      await rm(root, { recursive: true });
    }
    await storeOn();
  }, 120_000);
});

describe('upload sessions of a process that is killed', () => {
  it('go on elsewhere with every byte that was recorded', async () => {
    const script = join(import.meta.dirname, '../../../../test/fixtures/uploading-process.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, root], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      let said = '';
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        said += chunk.toString();
        if (said.split('\n').length > 4) break;
      }
      const recorded = said
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(' '));
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      const [id = '', size] = recorded.at(-1) ?? [];
      const { store, provider } = await storeOn();
      const session = await store.claim(id, 1);
      expect(session?.size).toBeGreaterThanOrEqual(Number(size));
      const whole = sample(64 * 1024 * 1024);
      const all = whole.subarray(0, (session?.size ?? 0) + 1_000);
      await session?.append(all.subarray(session.size));
      expect(await session?.commit(Digest.of(all))).toBe(all.length);
      expect(await keysUnder(provider, 'uploads')).toEqual([]);
      // The process may have been writing a record.
      await provider.sweepIngests(-1_000);
      expect(await readdir(join(root, 'ingest'))).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);
});
