import { open, readdir, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Hosting } from '../push/support/hosting.js';
import { Folder } from '../support/folder.js';
import { command } from './support/command.js';
import { layoutFiles, writeTar } from './support/layout.js';
import { tar } from './support/tar.js';
import { Temporary } from './support/temporary.js';

const image = makeImage({ layers: [1_000, 2_000_000], seed: 'full' });
const files = layoutFiles([{ content: image, tag: '1' }]);

describe('a disk that cannot be written to', () => {
  let hosting: Hosting;
  let folder: Folder;
  let temporary: Temporary;
  const run = (...args: string[]) => command(args[0]!, '--server', hosting.url, ...args.slice(1));
  /** Makes writes fail that commands do, whose files are the only ones written as a whole. */
  const failWrites = async (code: string, reason: string) => {
    await using file = await open(folder.file('any'), 'w');
    const error = Object.assign(new Error(`${code}: ${reason}, write`), { code, syscall: 'write' });
    const prototype = Object.getPrototypeOf(file) as FileHandle;
    return vi.spyOn(prototype, 'writeFile').mockRejectedValue(error);
  };

  beforeAll(async () => {
    hosting = await Hosting.start();
    folder = await Folder.make();
    temporary = await Temporary.make();
    const path = await writeTar(folder.file('image.tar'), files);
    expect((await run('import', path, 'local/app')).code).toBe(0);
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(async () => {
    await temporary[Symbol.asyncDispose]();
    await hosting[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it.each([
    ['ENOSPC', 'no space left on device'],
    ['EROFS', 'read-only file system'],
  ])('fails the import of a compressed archive with %s and the folder', async (code, reason) => {
    await writeFile(folder.file('image.tar.gz'), gzipSync(tar(files)));
    await failWrites(code, reason);
    const { stdout, ...said } = await run('import', folder.file('image.tar.gz'), 'local/packed');
    expect(said).toEqual({ code: 1, stderr: '' });
    expect(stdout).toContain(`image.tar.gz  ${code}: ${reason}, write: the archive is unpacked in ${tmpdir()}\n`);
    expect(await temporary.left()).toEqual([]);
  });

  it.each(['out', 'out.tar'])('fails an export to %s with one reason, which is counted once', async (name) => {
    await failWrites('ENOSPC', 'no space left on device');
    const { stdout, ...said } = await run('export', 'local/app:1', folder.file(name));
    expect(said).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^failed {3}local\/app:1 {2}ENOSPC: no space left on device, write\n/);
    expect(stdout).toMatch(/^nothing is written: an export has all of its images, or none\n1 failed; /m);
    expect((await readdir(folder.path)).filter((each) => each.startsWith('out'))).toEqual([]);
  });

  it('is told with its error code once', async () => {
    const { stdout } = await run('export', 'local/app:1', folder.file('absent/out.tar'));
    expect(stdout).toMatch(/^failed {3}local\/app:1 {2}ENOENT: no such file or directory, open /m);
    const absent = await run('import', folder.file('absent.tar'), 'local/app');
    expect(absent.stdout).toMatch(/absent\.tar {2}ENOENT: no such file or directory, stat /);
  });
});
