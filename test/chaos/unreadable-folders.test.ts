import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem, type FileSystem } from '../../src/storage/providers/filesystem/file-system.js';
import { FilesystemProvider } from '../../src/storage/providers/filesystem/filesystem.provider.js';
import { makeImage } from '../fixtures/images.js';
import { day, hexOf, Stock } from './support/stock.js';

const image = makeImage({ seed: 'kept', layers: [300] });
const gone = makeImage({ seed: 'gone', layers: [400] });
const layer = image.layers[0]!;

interface Scene extends AsyncDisposable {
  readonly stock: Stock;
  /** Folders that cannot be read, below the root. */
  readonly denied: Set<string>;
}

async function open(): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'oci-registry-unreadable-'));
  const denied = new Set<string>();
  const check = <T>(path: unknown, call: () => Promise<T>): Promise<T> => {
    const name = relative(root, String(path));
    const isDenied = [...denied].some((folder) => name === folder || name.startsWith(`${folder}/`));
    return isDenied ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' })) : call();
  };
  const files: FileSystem = {
    ...nodeFileSystem,
    opendir: (path, ...rest) => check(path, () => nodeFileSystem.opendir(path, ...rest)),
    lstat: (path: string) => check(path, () => nodeFileSystem.lstat(path)),
  };
  const stock = await Stock.make({ root, storage: new FilesystemProvider(root, files) });
  const dispose = async () => {
    denied.clear();
    await stock[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  };
  return { stock, denied, [Symbol.asyncDispose]: dispose };
}

const linesAbout = ({ stock }: Scene, folder: string) =>
  stock.stage.mirror.log.split('\n').filter((line) => line.includes(`${folder} cannot be read (EACCES)`));

describe('a sweep', () => {
  it('goes on past folders that cannot be read, and names each in the log once', async () => {
    await using scene = await open();
    const { stock, denied } = scene;
    await stock.pull('app', image);
    for (const folder of ['blobs/.snapshot', 'repositories/.trash', 'lost+found']) {
      await stock.plant(`${folder}/file`);
      denied.add(folder);
    }
    for (let times = 0; times < 3; times += 1)
      expect(await stock.sweeper.run()).toMatchObject({ removedContents: 0, objects: 3, failed: 0 });
    for (const folder of ['blobs/.snapshot', 'repositories/.trash']) expect(linesAbout(scene, folder)).toHaveLength(1);
  });

  it('still removes what has no record when only foreign folders cannot be read', async () => {
    await using scene = await open();
    const { stock, denied } = scene;
    await stock.pull('app', image);
    await stock.pull('gone', gone);
    await rm(join(stock.root, 'repositories/registry.test/gone'), { recursive: true });
    await stock.plant('repositories/.snapshot/file');
    denied.add('repositories/.snapshot');
    await stock.age(10 * day);
    stock.forgetUses();
    expect(await stock.sweeper.run()).toMatchObject({ removedContents: 3, objects: 3 });
  });

  it('takes records that cannot be read for present, so that their content stays', async () => {
    await using scene = await open();
    const { stock, denied } = scene;
    await stock.pull('app', image);
    await stock.age(10 * day);
    stock.forgetUses();
    denied.add('repositories/registry.test/app');
    expect(await stock.sweeper.run()).toMatchObject({ removedContents: 0, objects: 3 });
    expect(linesAbout(scene, 'repositories/registry.test/app')).toHaveLength(1);
    denied.clear();
    expect(await stock.sweeper.run()).toMatchObject({ removedContents: 0, removedRecords: 0, objects: 3 });
  });

  it('takes content that cannot be read for present, so that its records stay', async () => {
    await using scene = await open();
    const { stock, denied } = scene;
    await stock.pull('app', image);
    denied.add(`blobs/sha256/${hexOf(layer.digest).slice(0, 2)}`);
    expect(await stock.sweeper.run()).toMatchObject({ removedRecords: 0, removedContents: 0 });
    expect((await stock.files(`_blobs/sha256/${hexOf(layer.digest)}`)).length).toBe(1);
  });
});
