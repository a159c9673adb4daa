import { Logger } from '@nestjs/common';
import { chmod, chown, mkdir, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FilesystemProvider } from './filesystem.provider.js';
import { runAs } from '../../../../test/fixtures/run-as.js';

const key = 'repositories/registry.test/team/app/_tags/1';
let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'oci-registry-permissions-')));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const open = async (umask: number, files?: FileSystem) => {
  const provider = new FilesystemProvider(join(folder, 'root'), files, umask);
  await provider.initialize();
  return provider;
};

/** The distinct modes of all files and folders below the root, and of the root. */
async function modes(): Promise<{ files: number[]; folders: number[] }> {
  const found = { files: new Set<number>(), folders: new Set<number>([(await stat(join(folder, 'root'))).mode]) };
  for (const entry of await readdir(join(folder, 'root'), { recursive: true, withFileTypes: true })) {
    const { mode } = await stat(join(entry.parentPath, entry.name));
    found[entry.isFile() ? 'files' : 'folders'].add(mode);
  }
  const bits = (set: Set<number>) => [...new Set([...set].map((mode) => mode & 0o7777))];
  return { files: bits(found.files), folders: bits(found.folders) };
}

describe('--umask', () => {
  const masks = [0o000, 0o002, 0o007, 0o022, 0o027, 0o077];
  const both = [0o000, 0o022, 0o027, 0o077].flatMap((own) => masks.map((umask) => [umask, own] as const));

  it.each(both)('%i sets what it says whatever the umask of the process is: %i', async (umask, own) => {
    const before = process.umask(own);
    try {
      const provider = await open(umask);
      await provider.write(key, Buffer.from('x'));
      await provider.create('leases/sha256/ab/cd-00000001', Buffer.from('x'));
      const ingest = await provider.createIngest();
      expect(await modes()).toEqual({ files: [0o666 & ~umask], folders: [0o777 & ~umask] });
      await ingest.abort();
      await ingest.close();
    } finally {
      process.umask(before);
    }
  });

  it('keeps the set-group-ID bit of folders, and leaves those that exist as they are', async () => {
    const before = process.umask(0o077);
    try {
      await mkdir(join(folder, 'root'));
      await chmod(join(folder, 'root'), 0o2755);
      const provider = await open(0o007);
      await provider.write(key, Buffer.from('x'));
      const { files, folders } = await modes();
      expect([files, folders.sort()]).toEqual([[0o660], [0o2755, 0o2770]]);
    } finally {
      process.umask(before);
    }
  });

  it.each(['EPERM', 'ENOTSUP'])('is one warning where the file system refuses it with %s', async (code) => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const refuse = () => Promise.reject(Object.assign(new Error(code), { code }));
    const files: FileSystem = {
      ...nodeFileSystem,
      chmod: refuse,
      open: async (...args) => Object.assign(await nodeFileSystem.open(...args), { chmod: refuse }),
    };
    const before = process.umask(0o077);
    try {
      const provider = await open(0o007, files);
      for (const name of ['1', '2', '3']) await provider.write(`a${name}/b`, Buffer.from('x'));
      expect((await provider.read('a1/b', 10)).toString()).toBe('x');
    } finally {
      process.umask(before);
    }
    expect(warn.mock.calls).toEqual([[`permissions cannot be set as --umask says (${code})`]]);
  });
});

describe('files of another user in the same group', () => {
  it('can be marked as used although only their owner may set their times', async () => {
    const refuse = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const provider = await open(0o007, { ...nodeFileSystem, lutimes: refuse });
    await provider.write(key, Buffer.from('content'));
    const path = join(folder, 'root', key);
    await nodeFileSystem.lutimes(path, new Date(0), new Date(0));
    await provider.touch(key);
    expect(Date.now() - (await provider.stat(key)).usedAt.getTime()).toBeLessThan(60_000);
    expect((await provider.read(key, 10)).toString()).toBe('content');
    await expect(provider.touch('no/such')).rejects.toMatchObject({ kind: 'not-found' });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'that let nobody else in are named with their owner at start',
    async () => {
      const provider = await open(0o077);
      await provider.close();
      await chown(join(folder, 'root'), 3001, 4000);
      await chmod(folder, 0o755);
      const { stdout } = await runAs(
        3002,
        join(folder, 'root'),
        'await provider.initialize().catch(({ message }) => console.log(message));',
      );
      const root = join(folder, 'root');
      const owner = `${root} has mode 0700, owner 3001 and group 4000, and this process runs as user 3002`;
      expect(stdout).toBe(`cannot write to ${root} (EACCES): ${owner}\n`);
    },
    60_000,
  );

  // As with fsGroup and the random users of OpenShift.
  it.skipIf(process.getuid?.() !== 0)(
    'are read, replaced, used and removed, in folders of that group',
    async () => {
      const root = join(folder, 'root');
      await mkdir(root);
      await chown(root, 0, 4000);
      await chmod(root, 0o2770);
      await chmod(folder, 0o755);
      const script = `
      await provider.initialize();
      const used = [];
      for await (const { key } of provider.list('a')) {
        used.push((await provider.read(key, 10)).toString());
        await provider.touch(key);
      }
      for (const name of ['b', 'c']) await provider.write('a/' + name, Buffer.from(process.argv[1]));
      await provider.delete('a/c');
      await provider.write('a/' + process.argv[1], Buffer.from('own'));
      console.log(JSON.stringify(used.sort()));`;
      const run = async (user: number) => JSON.parse((await runAs(user, root, script)).stdout) as string[];
      expect([await run(3001), await run(3002), await run(3001)]).toEqual([
        [],
        ['3001', 'own'],
        ['3002', 'own', 'own'],
      ]);
      expect((await modes()).files).toEqual([0o660]);
      expect((await modes()).folders).toEqual([0o2770]);
    },
    60_000,
  );
});
