import { Logger } from '@nestjs/common';
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keysUnder } from '../../testing/content.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FilesystemProvider } from './filesystem.provider.js';
import { runAs } from '../../../../test/fixtures/run-as.js';

const object = 'blobs/sha256/ab/abcd';
let root: string;
let denied: Set<string>;
let provider: FilesystemProvider;
let warnings: () => string[];

const files: FileSystem = {
  ...nodeFileSystem,
  opendir: (path, ...rest) => {
    const error = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    return denied.has(relative(root, path)) ? Promise.reject(error) : nodeFileSystem.opendir(path, ...rest);
  },
};

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'oci-registry-listing-')));
  denied = new Set();
  const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  warnings = () => warn.mock.calls.map(([text]) => String(text));
  provider = new FilesystemProvider(root, files);
  await provider.initialize();
  await provider.write(object, Buffer.from('x'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

async function plant(name: string): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), 'foreign');
}

describe('a folder that cannot be read', () => {
  it.each(['.snapshot', '.trash-1000', 'lost+found', '$RECYCLE.BIN', '@eaDir', '#snapshot', 'backup'])(
    'ends no list when it is called %s, and is named once',
    async (name) => {
      await plant(`blobs/${name}/sha256/ab/abcd`);
      await plant(`blobs/sha256/${name}/abcd`);
      denied.add(`blobs/${name}`).add(`blobs/sha256/${name}`);
      for (let times = 0; times < 3; times += 1) expect(await keysUnder(provider, 'blobs')).toEqual([object]);
      const isName = /^[a-z0-9._-]+$/.test(name);
      expect(warnings().sort()).toEqual(
        isName
          ? [`blobs/${name}`, `blobs/sha256/${name}`].map(
              (folder) => `${join(root, folder)} cannot be read (EACCES) and is left out of sweeps and lists`,
            )
          : [],
      );
      expect(provider.isIncomplete('blobs')).toBe(name === 'backup');
      expect(provider.isIncomplete('repositories')).toBe(false);
    },
  );

  it('makes the list incomplete until it can be read again', async () => {
    await provider.write('blobs/sha256/cd/cdef', Buffer.from('x'));
    denied.add('blobs/sha256/cd');
    expect(await keysUnder(provider, 'blobs')).toEqual([object]);
    expect([provider.isIncomplete('blobs'), provider.isIncomplete('blobs/sha256/ab')]).toEqual([true, false]);
    denied.clear();
    expect(await keysUnder(provider, 'blobs')).toHaveLength(2);
    expect(provider.isIncomplete('blobs')).toBe(false);
  });

  it('ends no list when it is the prefix itself', async () => {
    denied.add('blobs');
    expect([await keysUnder(provider, 'blobs'), provider.isIncomplete('blobs')]).toEqual([[], true]);
  });

  it('does not hide another error', async () => {
    vi.spyOn(files, 'opendir').mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await expect(keysUnder(provider, 'blobs')).rejects.toMatchObject({ kind: 'failed' });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'ends no list of another user on a real file system',
    async () => {
      await plant('blobs/.snapshot/hourly/x');
      await plant('blobs/names-only/x');
      await rm(join(root, 'ingest'), { recursive: true });
      for (const [folder, mode] of Object.entries({ '': 0o777, 'blobs/.snapshot': 0o700, 'blobs/names-only': 0o744 }))
        await chmod(join(root, folder), mode);
      for (const folder of ['blobs', 'blobs/sha256', 'blobs/sha256/ab']) await chmod(join(root, folder), 0o755);
      const script = `
      await provider.initialize();
      const found = [];
      for (let times = 0; times < 2; times += 1)
        for await (const { key } of provider.list('blobs')) found.push(key);
      console.error(JSON.stringify(found));`;
      const { stdout, stderr } = await runAs(3001, root, script);
      expect(JSON.parse(stderr)).toEqual([object, object]);
      for (const name of ['.snapshot', 'names-only'])
        expect(stdout.split(`${root}/blobs/${name} cannot be read (EACCES)`)).toHaveLength(2);
    },
    60_000,
  );
});
