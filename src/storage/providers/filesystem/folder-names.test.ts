import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderNames } from './folder-names.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-registry-'));
  await mkdir(join(folder, 'names'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the names in a folder', () => {
  it('are read once while the folder does not change, and anew by any change of any process', async () => {
    let reads = 0;
    const readdir = (path: string) => {
      reads += 1;
      return files.readdir(path);
    };
    const names = new FolderNames({ ...files, readdir: readdir as typeof files.readdir });
    const path = join(folder, 'names');
    for (let index = 0; index < 300; index += 1) await writeFile(join(path, `n${String(index).padStart(3, '0')}`), '');
    const settle = () => utimes(path, new Date(), new Date(Date.now() - 60_000 - reads * 1_000));
    await settle();
    expect(await names.list(path, 'n150', 2)).toEqual(['n151', 'n152']);
    expect(await names.list(path, 'n298', 9)).toEqual(['n299']);
    expect(reads).toBe(1);
    await writeFile(join(path, 'n1505'), '');
    expect(await names.list(path, 'n150', 2)).toEqual(['n1505', 'n151']);
    // A change just now: another in the same step of the clock would not show.
    expect(await names.list(path, 'n150', 1)).toEqual(['n1505']);
    expect(reads).toBe(3);
    await settle();
    await names.list(path, undefined, 1);
    await names.list(path, undefined, 1);
    expect(reads).toBe(4);
  });
});
