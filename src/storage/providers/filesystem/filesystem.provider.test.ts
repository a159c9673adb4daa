import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi, onTestFinished } from 'vitest';
import type { StorageError } from '../../storage-error.js';
import { bytesOf, keysUnder, sample } from '../../testing/content.js';
import { providerContract } from '../../testing/provider.contract.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FilesystemProvider } from './filesystem.provider.js';

const newRoot = () => mkdtemp(join(tmpdir(), 'oci-registry-'));

describe('FilesystemProvider', () => {
  providerContract({ describe, it }, async () => {
    const root = await newRoot();
    return { provider: new FilesystemProvider(root), dispose: () => rm(root, { recursive: true }) };
  });
});

type Call =
  | 'open'
  | 'close'
  | 'sync'
  | 'datasync'
  | 'write'
  | 'read'
  | 'stat'
  | 'rename'
  | 'mkdir'
  | 'unlink'
  | 'lstat'
  | 'opendir';

/** The real file system; writes down every call, and lets a test answer some of them. */
class WatchedFileSystem {
  readonly calls: string[] = [];
  /** How many are open of everything opened through this. */
  descriptors = 0;
  /** Throws, waits, or returns how many bytes the call may take at most. */
  intercept: (call: Call, path: string) => unknown = () => undefined;

  constructor(private readonly root: string) {}

  readonly files: FileSystem = {
    ...nodeFileSystem,
    open: async (path, ...rest) => {
      await this.note('open', path);
      const handle = await nodeFileSystem.open(path, ...rest);
      this.descriptors += 1;
      const watched = new Set<PropertyKey>(['close', 'sync', 'datasync', 'write', 'read', 'stat']);
      return new Proxy(handle, {
        get: (target, property) => {
          const value: unknown = Reflect.get(target, property, target);
          if (typeof value !== 'function') return value;
          if (!watched.has(property)) return value.bind(target) as unknown;
          return async (...args: unknown[]) => {
            const most = await this.note(property as Call, path);
            if (property === 'close') this.descriptors -= 1;
            if (typeof most === 'number') args[2] = Math.min(most, Number(args[2]));
            return (await value.apply(target, args)) as unknown;
          };
        },
      });
    },
    rename: async (from, to) => {
      await this.note('rename', from);
      await nodeFileSystem.rename(from, to);
    },
    mkdir: async (path, options) => {
      await this.note('mkdir', path);
      await nodeFileSystem.mkdir(path, options);
    },
    unlink: async (path) => {
      await this.note('unlink', path);
      await nodeFileSystem.unlink(path);
    },
    lstat: async (path) => {
      await this.note('lstat', path);
      return nodeFileSystem.lstat(path);
    },
    opendir: async (path) => {
      await this.note('opendir', path);
      return nodeFileSystem.opendir(path);
    },
  };

  /** Lets one kind of call fail where `where` is part of the path. */
  fail(call: Call, code: string, where = ''): void {
    this.intercept = (called, path) => {
      if (called !== call || !path.includes(where)) return;
      throw Object.assign(new Error(`${code}: ${call} '${path}'`), { code });
    };
  }

  heal(): void {
    this.intercept = () => undefined;
  }

  private note(call: Call, path: unknown): unknown {
    const name = relative(this.root, String(path)).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '<id>');
    this.calls.push(`${call} ${name}`);
    return this.intercept(call, String(path));
  }
}

let root: string;
let watched: WatchedFileSystem;
let provider: FilesystemProvider;

beforeEach(async () => {
  root = await newRoot();
  watched = new WatchedFileSystem(root);
  provider = new FilesystemProvider(root, watched.files);
  await provider.initialize();
  watched.calls.length = 0;
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const key = 'blobs/sha256/ab/abcd';
const path = (name: string) => join(root, name);
const modeOf = async (name: string) => (await lstat(path(name))).mode & 0o777;
const ingestFiles = () => readdir(path('ingest'));

/** Places a file as another program would. */
async function plant(name: string, content = 'foreign'): Promise<void> {
  await mkdir(dirname(path(name)), { recursive: true });
  await writeFile(path(name), content);
}

describe('the files of FilesystemProvider', () => {
  it('are readable by their owner only, and so are the folders', async () => {
    await provider.write(key, sample(10));
    const ingest = await provider.createIngest();
    expect(await modeOf(key)).toBe(0o600);
    for (const folder of ['ingest', 'blobs', 'blobs/sha256', 'blobs/sha256/ab']) {
      expect(await modeOf(folder)).toBe(0o700);
    }
    const [name = ''] = await ingestFiles();
    expect(await modeOf(`ingest/${name}`)).toBe(0o600);
    await ingest.abort();
    await ingest.close();
  });

  it('have the key as their path below the root and the content as it is', async () => {
    await provider.write(key, sample(10));
    expect(await readFile(path(key))).toEqual(sample(10));
    expect(await ingestFiles()).toEqual([]);
  });

  it('survive a new provider on the same folder, as after a restart', async () => {
    await provider.write(key, sample(10));
    const restarted = new FilesystemProvider(root);
    await restarted.initialize();
    expect(await restarted.read(key, 10)).toEqual(sample(10));
  });
});

describe('a commit to FilesystemProvider', () => {
  it('syncs the file, then renames it, then syncs the folder', async () => {
    await mkdir(path('blobs/sha256/ab'), { recursive: true });
    await provider.write(key, sample(10));
    expect(watched.calls.filter((call) => /^(write|sync|rename)/.test(call))).toEqual([
      'write ingest/<id>',
      'sync ingest/<id>',
      'rename ingest/<id>',
      'sync blobs/sha256/ab',
    ]);
  });

  it('syncs every folder that it made and the parent of the first', async () => {
    await provider.write(key, sample(10));
    const synced = watched.calls.filter((call) => call.startsWith('sync ')).map((call) => call.slice('sync '.length));
    expect(synced[0]).toBe('ingest/<id>');
    expect(synced.slice(1).sort()).toEqual(['', 'blobs', 'blobs/sha256', 'blobs/sha256/ab']);
  });

  it('waits neither for folders of others nor, when it need not be durable, for its own', async () => {
    await provider.write('warm/up', sample(1));
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    watched.intercept = (call, at) => (call === 'sync' && at === root ? held : undefined);
    await provider.write('quick/one', sample(1), { isDurable: false });
    await provider.write('warm/two', sample(2));
    const durable = provider.write('quick/two', sample(2));
    await expect(Promise.race([durable, delay(50).then(() => 'waits')])).resolves.toBe('waits');
    release();
    await durable;
  });

  it('fails when a folder that it made cannot be made durable', async () => {
    watched.intercept = (call, at) => {
      if (call === 'sync' && at === root) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    await expect(provider.write('broken/one', sample(1))).rejects.toMatchObject({ kind: expect.any(String) as string });
    await expect(provider.read('broken/one', 1)).rejects.toMatchObject({ kind: expect.any(String) as string });
  });

  it('flushes a folder once for all commits that wait for it', async () => {
    await provider.write(`${key}0`, sample(10));
    watched.calls.length = 0;
    let [running, most] = [0, 0];
    watched.intercept = async (call, at) => {
      if (call !== 'sync' || at !== path('blobs/sha256/ab')) return;
      running += 1;
      most = Math.max(most, running);
      await delay(50);
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => provider.write(`${key}${index}`, sample(10))));
    const flushes = watched.calls.filter((call) => call === 'sync blobs/sha256/ab');
    expect(flushes.length).toBeLessThan(10);
    expect(most).toBe(1);
    const events: string[] = [];
    watched.intercept = (call, at) => void events.push(`${call} ${at === path('blobs/sha256/ab') ? 'folder' : 'file'}`);
    await provider.write(`${key}20`, sample(10));
    expect(events.lastIndexOf('sync folder')).toBeGreaterThan(events.indexOf('rename file'));
  });

  it('does not return before a folder is durable that another commit is making', async () => {
    const events: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let reached: () => void = () => undefined;
    const making = new Promise<void>((resolve) => (reached = resolve));
    watched.intercept = async (call, at) => {
      if (call !== 'sync' || at !== root) return;
      reached();
      await held;
      events.push('parent synced');
    };
    const first = provider.write('new/one', sample(1));
    await making;
    const second = provider.write('new/two', sample(2)).then(() => events.push('second returned'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    await Promise.all([first, second]);
    expect(events).toEqual(['parent synced', 'second returned']);
  });

  it('writes everything when the system takes a few bytes at a time', async () => {
    watched.intercept = (call) => (call === 'write' ? 7 : undefined);
    await provider.write(key, sample(100));
    expect(await readFile(path(key))).toEqual(sample(100));
  });

  it('creates the ingest folder again when it was removed', async () => {
    await rm(path('ingest'), { recursive: true });
    await provider.write(key, sample(10));
    expect(await provider.read(key, 10)).toEqual(sample(10));
  });

  it('fails, not with not-found, when its ingest file was removed', async () => {
    const ingest = await provider.createIngest();
    await ingest.append(sample(10));
    await rm(path('ingest'), { recursive: true });
    await expect(ingest.commit(key)).rejects.toMatchObject({ name: 'StorageError', kind: 'failed' });
    await ingest.close();
  });

  it('fails, not with not-found, when a foreign file stands where a folder should', async () => {
    await plant('blobs');
    await expect(provider.write(key, sample(10))).rejects.toMatchObject({ name: 'StorageError', kind: 'failed' });
    expect(await readFile(path('blobs'), 'utf8')).toBe('foreign');
  });

  const faults = [
    { name: 'the disk is full', call: 'write', code: 'ENOSPC', where: 'ingest', kind: 'full' },
    { name: 'the quota is used up', call: 'write', code: 'EDQUOT', where: 'ingest', kind: 'full' },
    { name: 'the disk cannot write', call: 'write', code: 'EIO', where: 'ingest', kind: 'failed' },
    { name: 'fsync of the file fails', call: 'sync', code: 'EIO', where: 'ingest', kind: 'failed' },
    { name: 'fsync finds the disk full', call: 'sync', code: 'ENOSPC', where: 'ingest', kind: 'full' },
    { name: 'rename fails', call: 'rename', code: 'EIO', where: 'ingest', kind: 'failed' },
    { name: 'no folder can be made', call: 'mkdir', code: 'EACCES', where: 'blobs', kind: 'failed' },
    { name: 'a new folder finds the disk full', call: 'mkdir', code: 'ENOSPC', where: 'blobs', kind: 'full' },
    { name: 'fsync of the folder fails', call: 'sync', code: 'EIO', where: 'blobs/sha256/ab', kind: 'failed' },
    { name: 'fsync of a new parent fails', call: 'sync', code: 'EIO', where: 'blobs', kind: 'failed' },
    { name: 'no file can be made', call: 'open', code: 'ENOSPC', where: 'ingest', kind: 'full' },
    { name: 'there are too many open files', call: 'open', code: 'EMFILE', where: 'ingest', kind: 'failed' },
    { name: 'the storage is read-only', call: 'open', code: 'EROFS', where: 'ingest', kind: 'full' },
  ] as const;
  for (const { name, call, code, where, kind } of faults) {
    it(`is ${kind} when ${name}: nothing is visible, no file and no descriptor stays`, async () => {
      watched.fail(call, code, where);
      const error = await provider.write(key, sample(100)).catch((thrown: unknown) => thrown as StorageError);
      expect(error).toMatchObject({ name: 'StorageError', kind });
      expect((error as StorageError).message).not.toContain(root);
      watched.heal();
      await expect(provider.read(key, 100)).rejects.toMatchObject({ kind: 'not-found' });
      expect(await keysUnder(provider, 'blobs')).toEqual([]);
      expect(await ingestFiles()).toEqual([]);
      // A commit that failed closes what it had open without waiting.
      await vi.waitFor(() => expect(watched.descriptors).toBe(0), 5_000);
      expect(await provider.sweepIngests(0)).toBe(0);
      await provider.write(key, sample(100));
      expect(await provider.read(key, 100)).toEqual(sample(100));
    });
  }

  it('sends a large file to the disk while it grows, one at a time', async () => {
    const most = { now: 0, ever: 0 };
    watched.intercept = async (call) => {
      if (call !== 'datasync') return;
      most.now += 1;
      most.ever = Math.max(most.ever, most.now);
      await delay(5);
      most.now -= 1;
    };
    const piece = sample(1024 * 1024);
    const ingests = await Promise.all([provider.createIngest(), provider.createIngest()]);
    for (let count = 0; count < 40; count += 1) for (const ingest of ingests) await ingest.append(piece);
    expect(watched.calls.filter((call) => call.startsWith('datasync')).length).toBeGreaterThanOrEqual(2);
    expect(most.ever).toBe(1);
    for (const [index, ingest] of ingests.entries()) {
      await ingest.commit(`${key}${index}`);
      await ingest.close();
    }
    expect((await provider.stat(`${key}1`)).size).toBe(40 * piece.length);
    expect(watched.descriptors).toBe(0);
  });

  it.each(['append', 'commit'])('fails with the %s that follows a failed flush of a growing file', async (next) => {
    watched.fail('datasync', 'EIO');
    const ingest = await provider.createIngest();
    await ingest.append(sample(17 * 1024 * 1024));
    watched.heal();
    await delay(5);
    const goingOn = next === 'append' ? ingest.append(sample(10)) : ingest.commit(key);
    await expect(goingOn).rejects.toMatchObject({ name: 'StorageError', kind: 'failed' });
    await expect(ingest.commit(key)).rejects.toMatchObject({ kind: 'failed' });
    await ingest.close();
    await expect(provider.read(key, 100)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await ingestFiles()).toEqual([]);
    expect(watched.descriptors).toBe(0);
  });

  it('leaves the former object when the new one cannot be renamed', async () => {
    await provider.write(key, sample(10, 'old'));
    watched.fail('rename', 'EIO');
    await expect(provider.write(key, sample(10, 'new'))).rejects.toMatchObject({ kind: 'failed' });
    expect(await provider.read(key, 10)).toEqual(sample(10, 'old'));
  });

  it('is not tried again after a failed fsync, which the kernel would call good', async () => {
    const ingest = await provider.createIngest();
    await ingest.append(sample(10));
    watched.fail('sync', 'EIO', 'ingest');
    await expect(ingest.commit(key)).rejects.toMatchObject({ kind: 'failed' });
    watched.heal();
    await expect(ingest.commit(key)).rejects.toMatchObject({ kind: 'failed' });
    await ingest.close();
    expect(await keysUnder(provider, 'blobs')).toEqual([]);
  });

  it('lets what was appended before a failed write be read', async () => {
    const ingest = await provider.createIngest();
    await ingest.append(sample(10));
    let writes = 0;
    watched.intercept = (call) => {
      if (call !== 'write') return undefined;
      writes += 1;
      if (writes === 1) return 4;
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    };
    await expect(ingest.append(sample(10))).rejects.toMatchObject({ kind: 'full' });
    expect(ingest.size).toBe(14);
    const read: Buffer[] = [];
    await ingest.copy({ offset: 0, length: 14 }, (chunk) => Promise.resolve(void read.push(Buffer.from(chunk))));
    expect(Buffer.concat(read)).toEqual(Buffer.concat([sample(10), sample(10).subarray(0, 4)]));
    await ingest.abort();
    await ingest.close();
    expect(await ingestFiles()).toEqual([]);
  });

  it('does not throw when an aborted file cannot be removed; it is swept later', async () => {
    const ingest = await provider.createIngest();
    watched.fail('unlink', 'EIO');
    await ingest.abort();
    await ingest.close();
    watched.heal();
    expect(await ingestFiles()).toHaveLength(1);
    expect(await provider.sweepIngests(-1)).toBe(1);
  });
});

describe('reading from FilesystemProvider', () => {
  const faults = [
    { name: 'the disk cannot read', call: 'read', code: 'EIO' },
    { name: 'a file may not be opened', call: 'open', code: 'EACCES' },
    { name: 'there are too many open files', call: 'open', code: 'EMFILE' },
    { name: 'an open file cannot be looked at', call: 'stat', code: 'EIO' },
  ] as const;
  for (const { name, call, code } of faults) {
    it(`fails, never with not-found, when ${name}, and leaves no descriptor open`, async () => {
      await provider.write(key, sample(10));
      watched.fail(call, code);
      const error = await provider.read(key, 10).catch((thrown: unknown) => thrown as StorageError);
      expect(error).toMatchObject({ name: 'StorageError', kind: 'failed' });
      expect((error as StorageError).message).toContain(code);
      expect((error as StorageError).message).not.toContain(root);
      watched.heal();
      expect(watched.descriptors).toBe(0);
      expect(await provider.read(key, 10)).toEqual(sample(10));
    });
  }

  it('fails, never with not-found, when stat, delete and list are refused', async () => {
    await provider.write(key, sample(10));
    watched.fail('lstat', 'EACCES');
    await expect(provider.stat(key)).rejects.toMatchObject({ kind: 'failed' });
    await expect(keysUnder(provider, 'blobs')).rejects.toMatchObject({ kind: 'failed' });
    watched.fail('unlink', 'EACCES');
    await expect(provider.delete(key)).rejects.toMatchObject({ kind: 'failed' });
    watched.fail('opendir', 'EIO');
    await expect(keysUnder(provider, 'blobs')).rejects.toMatchObject({ kind: 'failed' });
  });

  it('fails as damaged when the file was cut after it had been opened', async () => {
    await provider.write(key, sample(1000));
    const object = await provider.open(key);
    await truncate(path(key), 500);
    await expect(object.copy({ offset: 0, length: 1000 }, () => Promise.resolve())).rejects.toMatchObject({
      kind: 'damaged',
    });
    await object.close();
  });

  it('fails when the disk fails in the middle of a copy', async () => {
    await provider.write(key, sample(1_000_000));
    const object = await provider.open(key);
    let reads = 0;
    watched.intercept = (call) => {
      if (call === 'read' && (reads += 1) > 1) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    };
    await expect(object.copy({ offset: 0, length: 1_000_000 }, () => Promise.resolve())).rejects.toMatchObject({
      kind: 'failed',
    });
    await object.close();
  });

  it('does not follow a symbolic link that stands for an object', async () => {
    await plant('elsewhere', 'secret');
    await mkdir(path('blobs'));
    await symlink(path('elsewhere'), path('blobs/link'));
    await expect(provider.read('blobs/link', 100)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(provider.open('blobs/link')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(provider.stat('blobs/link')).rejects.toMatchObject({ kind: 'not-found' });
    expect(await keysUnder(provider, 'blobs')).toEqual([]);
  });

  it('replaces and removes a symbolic link without touching what it points to', async () => {
    await plant('elsewhere', 'secret');
    await mkdir(path('blobs'));
    await symlink(path('elsewhere'), path('blobs/link'));
    await provider.write('blobs/link', sample(10));
    expect(await provider.read('blobs/link', 10)).toEqual(sample(10));
    await rm(path('blobs/link'));
    await symlink(path('elsewhere'), path('blobs/link'));
    await provider.delete('blobs/link');
    expect(await readFile(path('elsewhere'), 'utf8')).toBe('secret');
    expect(await readdir(path('blobs'))).toEqual([]);
  });

  it('closes every descriptor that it opens', async () => {
    await provider.write(key, sample(1000));
    await provider.read(key, 1000);
    await provider.read(key, 1).catch(() => undefined);
    await provider.read('blobs/absent', 1).catch(() => undefined);
    await provider.read('blobs', 1).catch(() => undefined);
    const object = await provider.open(key);
    await object.close();
    await object.close();
    const ingest = await provider.createIngest();
    await ingest.append(sample(10));
    await ingest.abort();
    await ingest.close();
    for await (const entry of provider.list('blobs')) await provider.stat(entry.key);
    expect(watched.calls.filter((call) => call.startsWith('close ')).length).toBeGreaterThan(5);
    await provider.close();
    expect(watched.descriptors).toBe(0);
  });

  it('keeps a file open for half a second after its reader, for the next', async () => {
    await provider.write(key, sample(1000));
    const opens = () => watched.calls.filter((call) => call.startsWith('open ') && call.includes(key)).length;
    for (let reader = 0; reader < 3; reader += 1) {
      const object = await provider.open(key);
      await object.close();
      expect([opens(), watched.descriptors]).toEqual([1, 1]);
    }
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(watched.descriptors).toBe(0);
    await (await provider.open(key)).close();
    expect(opens()).toBe(2);
  });

  it('does not keep open what was removed, and reads what has replaced a file', async () => {
    await provider.write(key, sample(10));
    await (await provider.open(key)).close();
    await provider.write(key, sample(20, 'new'));
    const object = await provider.open(key);
    expect(await bytesOf(object, { offset: 0, length: object.size })).toEqual(sample(20, 'new'));
    await object.close();
    expect(watched.descriptors).toBe(1);
    await provider.delete(key);
    await expect(provider.open(key)).rejects.toMatchObject({ kind: 'not-found' });
    await vi.waitFor(() => expect(watched.descriptors).toBe(0), 250);
  });

  it('keeps at most sixteen idle files open', async () => {
    // However long a busy machine takes, none is closed for its age.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    for (let index = 0; index < 20; index += 1) {
      const name = `${key}${index}`;
      await provider.write(name, sample(10));
      await (await provider.open(name)).close();
    }
    expect(watched.descriptors).toBe(16);
    await provider.close();
    expect(watched.descriptors).toBe(0);
  });
});

describe('foreign files in the folder of FilesystemProvider', () => {
  it('are left out of lists when their names are no keys, and so are links and sockets', async () => {
    await provider.write('blobs/one', sample(1));
    await plant('blobs/Thumbs.db');
    await plant('blobs/with space');
    await plant('blobs/UPPER/one');
    await symlink(path('blobs'), path('blobs/loop'));
    await mkdir(path('blobs/empty'));
    expect(await keysUnder(provider, 'blobs')).toEqual(['blobs/one']);
  });

  it('are not swept, however old, and neither are folders', async () => {
    const old = new Date(Date.now() - 1_000_000_000);
    await plant('ingest/notes.txt');
    await plant('ingest/0123456789abcdef');
    await plant(`ingest/${randomUUID()}.part`);
    await mkdir(path(`ingest/${randomUUID()}`));
    for (const name of await ingestFiles()) await utimes(path(`ingest/${name}`), old, old);
    expect(await provider.sweepIngests(0)).toBe(0);
    expect(await ingestFiles()).toHaveLength(4);
  });
});

describe('sweepIngests of FilesystemProvider', () => {
  /** What a killed process leaves. */
  const plantOrphan = async (age: number) => {
    const name = `ingest/${randomUUID()}`;
    await plant(name, 'half a layer');
    const time = new Date(Date.now() - age);
    await utimes(path(name), time, time);
  };

  it('removes the files of killed processes that are older than the age, and counts them', async () => {
    await plantOrphan(10_000);
    await plantOrphan(20_000);
    await plantOrphan(1_000);
    expect(await provider.sweepIngests(5_000)).toBe(2);
    expect(await ingestFiles()).toHaveLength(1);
    expect(await provider.sweepIngests(500)).toBe(1);
  });

  it('leaves an ingest in use however old its file is', async () => {
    const ingest = await provider.createIngest();
    await ingest.append(sample(10));
    const [name = ''] = await ingestFiles();
    await utimes(path(`ingest/${name}`), 0, 0);
    expect(await provider.sweepIngests(0)).toBe(0);
    await ingest.commit(key);
    expect(await provider.read(key, 10)).toEqual(sample(10));
    await ingest.close();
  });

  it('goes on when another replica has swept a file first', async () => {
    await plantOrphan(10_000);
    await plantOrphan(10_000);
    watched.intercept = async (call, at) => {
      if (call === 'unlink') await rm(at);
    };
    expect(await provider.sweepIngests(5_000)).toBe(0);
    expect(await ingestFiles()).toEqual([]);
  });

  it('fails when a file cannot be removed', async () => {
    await plantOrphan(10_000);
    watched.fail('unlink', 'EACCES');
    await expect(provider.sweepIngests(5_000)).rejects.toMatchObject({ name: 'StorageError', kind: 'failed' });
  });

  it('finds nothing when the ingest folder is gone', async () => {
    await rm(path('ingest'), { recursive: true });
    expect(await provider.sweepIngests(0)).toBe(0);
  });
});

describe('initialize of FilesystemProvider', () => {
  const initialize = async (at: string, files?: FileSystem): Promise<string> => {
    const error: unknown = await new FilesystemProvider(at, files).initialize().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'StorageError', kind: 'failed' });
    return (error as StorageError).message;
  };

  it('makes the root and its parents, and may find them made', async () => {
    const deep = path('a/b/c');
    await new FilesystemProvider(deep).initialize();
    await new FilesystemProvider(deep).initialize();
    expect(await readdir(deep)).toEqual(['ingest']);
    expect(await readdir(join(deep, 'ingest'))).toEqual([]);
    expect(await modeOf('a/b/c')).toBe(0o700);
  });

  it('says in one line that a root which is a file cannot be written to', async () => {
    await plant('file');
    expect(await initialize(path('file'))).toBe(`cannot write to ${path('file')} (ENOTDIR)`);
  });

  it('says in one line that a folder cannot be written to', async () => {
    watched.fail('open', 'EACCES', 'ingest');
    expect(await initialize(root, watched.files)).toBe(`cannot write to ${root} (EACCES)`);
  });

  it('finds out that its user may not write', async () => {
    watched.fail('open', 'EACCES');
    expect(await initialize(root, watched.files)).toBe(`cannot write to ${root} (EACCES)`);
  });

  it('says in one line that nothing can be made where the root should be', async () => {
    expect(await initialize('/proc/oci-registry')).toBe('cannot write to /proc/oci-registry (ENOENT)');
  });

  it('finds out at start that the disk does not sync', async () => {
    watched.fail('sync', 'EIO');
    expect(await initialize(root, watched.files)).toBe(`cannot write to ${root} (EIO)`);
  });
});

describe('the folders of FilesystemProvider', () => {
  const day = 86_400_000;
  const age = async (name: string) => {
    const then = new Date(Date.now() - day);
    await utimes(path(name), then, then);
  };
  const foldersLeft = async () => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)));
  };

  it('go with the last object in them, up to the first that holds something else', async () => {
    const [one, two] = ['repositories/a/b/_blobs/sha256/1', 'repositories/a/c/_blobs/sha256/2'];
    for (const name of [one, two]) {
      await provider.write(name, sample(1));
      await age(name);
    }
    await provider.delete(one);
    expect((await foldersLeft()).sort()).toEqual([
      'ingest',
      'repositories',
      'repositories/a',
      'repositories/a/c',
      'repositories/a/c/_blobs',
      'repositories/a/c/_blobs/sha256',
    ]);
    await plant('repositories/a/c/notes.txt');
    await provider.delete(two);
    expect((await foldersLeft()).sort()).toEqual(['ingest', 'repositories', 'repositories/a', 'repositories/a/c']);
    await provider.write(one, sample(2));
    expect(await provider.read(one, 10)).toEqual(sample(2));
    expect(await readFile(path('repositories/a/c/notes.txt'), 'utf8')).toBe('foreign');
  });

  it('stay when the object was new, and will be needed again', async () => {
    await provider.write('leases/sha256/ab/1', sample(1));
    await provider.delete('leases/sha256/ab/1');
    expect(await foldersLeft()).toContain('leases/sha256/ab');
  });

  it('are made again for a commit that finds them gone, as often as that', async () => {
    await provider.write(key, sample(1));
    await provider.delete(key);
    let gone = 0;
    watched.intercept = async (call) => {
      if (call !== 'rename' || gone === 3) return;
      gone += 1;
      await rm(path('blobs'), { recursive: true });
    };
    await provider.write(key, sample(2));
    expect([gone, await provider.read(key, 10)]).toEqual([3, sample(2)]);
  });

  it('lose no commit to another replica that removes them all the time', async () => {
    const other = new FilesystemProvider(root);
    await other.initialize();
    const comeAndGo = async (replica: FilesystemProvider, name: string) => {
      for (let count = 0; count < 200; count += 1) {
        await replica.write(name, sample(count));
        expect(await replica.read(name, 1_000)).toEqual(sample(count));
        await age(name);
        await replica.delete(name);
      }
    };
    await Promise.all([
      comeAndGo(provider, 'blobs/sha256/ab/one'),
      comeAndGo(provider, 'blobs/sha256/cd/two'),
      comeAndGo(other, 'blobs/sha256/ab/three'),
    ]);
    expect(await foldersLeft()).toEqual(expect.arrayContaining(['ingest', 'blobs']));
    expect((await foldersLeft()).length).toBe(2);
  });
});
