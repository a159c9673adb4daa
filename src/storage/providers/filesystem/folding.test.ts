import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keysUnder, sample } from '../../testing/content.js';
import { providerContract } from '../../testing/provider.contract.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FilesystemProvider } from './filesystem.provider.js';

/**
 * A file system that finds names in any case below a folder, and keeps those that it was given first, as those of Windows
 * and macOS do. Few kernels of Linux have one to test with.
 */
function foldingBelow(root: string): FileSystem {
  const found = async (path: string): Promise<string> => {
    if (!path.startsWith(`${root}/`)) return path;
    let at = root;
    for (const name of path.slice(root.length + 1).split('/')) {
      const names = await readdir(at).catch(() => []);
      at = join(at, names.find((other) => other.toLowerCase() === name.toLowerCase()) ?? name);
    }
    return at;
  };
  const folding: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(nodeFileSystem) as [string, (...args: unknown[]) => unknown][]) {
    folding[name] = async (path: string, ...rest: unknown[]) => {
      const others = name === 'rename' || name === 'link' ? [await found(String(rest[0]))] : rest;
      return call(await found(path), ...others);
    };
  }
  return folding as unknown as FileSystem;
}

const newRoot = async () => realpath(await mkdtemp(join(tmpdir(), 'oci-registry-folding-')));

describe('FilesystemProvider where case does not count', () => {
  providerContract({ describe, it }, async () => {
    const root = await newRoot();
    return {
      provider: new FilesystemProvider(root, foldingBelow(root)),
      dispose: () => rm(root, { recursive: true }),
    };
  });

  let root: string;
  let provider: FilesystemProvider;

  beforeEach(async () => {
    root = await newRoot();
    provider = new FilesystemProvider(root, foldingBelow(root));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('says at start that a folder which it needs is there in another spelling', async () => {
    await mkdir(join(root, 'Ingest'));
    await expect(provider.initialize()).rejects.toMatchObject({
      kind: 'failed',
      message: `cannot write to ${root} (a folder of the storage exists with another spelling: Ingest)`,
    });
    expect(await readdir(join(root, 'Ingest'))).toEqual([]);
  });

  it('neither reads nor writes below a folder in another spelling, and says why', async () => {
    await provider.initialize();
    await mkdir(join(root, 'Blobs'));
    await writeFile(join(root, 'Blobs/one'), 'foreign');
    const message = 'a folder of the storage exists with another spelling: Blobs';
    await expect(provider.write('blobs/two', sample(1))).rejects.toMatchObject({ kind: 'failed', message });
    await expect(provider.read('blobs/one', 10)).rejects.toMatchObject({ kind: 'not-found' });
    await provider.delete('blobs/one');
    expect(await readdir(join(root, 'Blobs'))).toEqual(['one']);
    expect(await readdir(join(root, 'ingest'))).toEqual([]);
  });

  it('leaves foreign files in another spelling alone', async () => {
    await provider.initialize();
    await provider.write('blobs/one', sample(1));
    await writeFile(join(root, 'blobs/TWO'), 'foreign');
    expect(await keysUnder(provider, 'blobs')).toEqual(['blobs/one']);
  });
});
