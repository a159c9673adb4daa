import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FilesystemProvider } from './filesystem.provider.js';

const key = 'repositories/registry.test/team/app/_tags/1';
let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'oci-registry-links-')));
  await mkdir(join(folder, 'outside'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = async (umask?: number) => {
  const provider = new FilesystemProvider(join(folder, 'root'), undefined, umask);
  await provider.initialize();
  return provider;
};

describe('a symbolic link inside the root', () => {
  const levels = ['repositories', 'repositories/registry.test', 'repositories/registry.test/team/app/_tags'];

  it.each(levels)('at %s is not followed by any reading', async (level) => {
    const provider = await open();
    const inside = key.slice(level.length + 1);
    await mkdir(dirname(join(folder, 'outside', inside)), { recursive: true });
    await writeFile(join(folder, 'outside', inside), 'foreign');
    await mkdir(dirname(join(folder, 'root', level)), { recursive: true });
    await symlink(join(folder, 'outside'), join(folder, 'root', level));
    await expect(provider.read(key, 100)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(provider.open(key)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(provider.stat(key)).rejects.toMatchObject({ kind: 'not-found' });
    await provider.delete(key).catch(() => undefined);
    for await (const entry of provider.list('repositories')) expect.fail(`${entry.key} was listed`);
    expect(await readFile(join(folder, 'outside', inside), 'utf8')).toBe('foreign');
  });

  it.each(levels)('at %s is not written through', async (level) => {
    const provider = await open();
    await mkdir(dirname(join(folder, 'root', level)), { recursive: true });
    await symlink(join(folder, 'outside'), join(folder, 'root', level));
    await expect(provider.write(key, Buffer.from('x'))).rejects.toMatchObject({ kind: 'failed' });
    expect(await readdir(join(folder, 'outside'))).toEqual([]);
    expect(await readdir(join(folder, 'root/ingest'))).toEqual([]);
  });

  it('may be the root itself', async () => {
    await symlink(join(folder, 'outside'), join(folder, 'root'));
    const provider = await open();
    await provider.write(key, Buffer.from('x'));
    expect((await provider.read(key, 10)).toString()).toBe('x');
  });
});

describe('the umask', () => {
  it.each([
    [undefined, 0o600, 0o700],
    [0o027, 0o640, 0o750],
    [0o077, 0o600, 0o700],
  ])('%o gives files and folders their permissions', async (umask, file, directory) => {
    const before = process.umask(0);
    try {
      const provider = await open(umask);
      await provider.write(key, Buffer.from('x'));
      expect((await stat(join(folder, 'root', key))).mode & 0o777).toBe(file);
      expect((await stat(join(folder, 'root/repositories'))).mode & 0o777).toBe(directory);
      expect((await stat(join(folder, 'root'))).mode & 0o777).toBe(directory);
    } finally {
      process.umask(before);
    }
  });

  it('finds its way when a folder goes away under it', async () => {
    const provider = await open();
    await provider.write(key, Buffer.from('x'));
    await rm(join(folder, 'root/repositories'), { recursive: true });
    await provider.write(key, Buffer.from('y'));
    expect((await provider.read(key, 10)).toString()).toBe('y');
  });
});
