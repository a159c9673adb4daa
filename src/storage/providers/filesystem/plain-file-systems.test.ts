import { Logger } from '@nestjs/common';
import { constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keysUnder } from '../../testing/content.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FilesystemProvider } from './filesystem.provider.js';

let root: string;
let warnings: () => string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-registry-plain-'));
  const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  warnings = () => warn.mock.calls.map(([text]) => String(text));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

const refuse = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

/** A file system that cannot flush folders. */
const withoutFolderSync = (code: string): FileSystem => ({
  ...nodeFileSystem,
  open: async (path, flags, mode) => {
    const handle = await nodeFileSystem.open(path, flags, mode);
    return (flags & constants.O_DIRECTORY) === 0 ? handle : Object.assign(handle, { sync: refuse(code) });
  },
});

describe('a file system that cannot flush folders', () => {
  it.each(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('with %s is used, with one warning', async (code) => {
    const provider = new FilesystemProvider(root, withoutFolderSync(code));
    await provider.initialize();
    for (const name of ['a', 'b', 'c']) await provider.write(`x/${name}/d`, Buffer.from(name));
    await provider.move('x/a/d', 'y/a');
    expect(await provider.create('y/b', Buffer.from('b'))).toBe(true);
    expect([await keysUnder(provider, 'x'), await keysUnder(provider, 'y')]).toEqual([
      ['x/b/d', 'x/c/d'],
      ['y/a', 'y/b'],
    ]);
    expect(warnings()).toEqual([
      `the file system cannot flush directories (${code}): content stored shortly before a power failure may be lost, and is then downloaded again`,
    ]);
  });

  it('is told apart from one that fails', async () => {
    const provider = new FilesystemProvider(root, withoutFolderSync('EIO'));
    await expect(provider.initialize()).rejects.toThrow(`cannot write to ${root} (EIO)`);
  });
});

describe('a file system without hard links', () => {
  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])('with %s is used without leases', async (code) => {
    const provider = new FilesystemProvider(root, { ...nodeFileSystem, link: refuse(code) });
    await provider.initialize();
    await provider.write('x/a', Buffer.from('a'));
    expect([provider.isExclusive, await keysUnder(provider, 'x')]).toEqual([false, ['x/a']]);
    expect(warnings()).toEqual([
      `the file system has no hard links (${code}): replicas cannot coordinate, and each one downloads`,
    ]);
  });

  it('is told apart from one that has them', async () => {
    const provider = new FilesystemProvider(root);
    await provider.initialize();
    expect([provider.isExclusive, warnings()]).toEqual([true, []]);
  });
});
