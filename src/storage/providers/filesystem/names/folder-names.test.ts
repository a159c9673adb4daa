import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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
    const names = new FolderNames({ ...files, readdir });
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

  describe('of the only writer', () => {
    let reads: number;
    let path: string;
    let names: FolderNames;
    beforeEach(async () => {
      reads = 0;
      const readdir = (of: string) => {
        reads += 1;
        return files.readdir(of);
      };
      names = new FolderNames({ ...files, readdir }, true);
      path = join(folder, 'names');
      for (let index = 100; index < 400; index += 1) await writeFile(join(path, `n${index}`), '');
      await names.list(path, undefined, 1);
      reads = 0;
    });
    const settle = () => utimes(path, new Date(), new Date(Date.now() - 60_000));
    const add = (name: string) => names.change(join(path, name), true, () => writeFile(join(path, name), ''));
    const remove = (name: string) => names.change(join(path, name), false, () => rm(join(path, name)));

    it('are current after its own changes, without another read', async () => {
      await Promise.all(['n1505', 'n099', 'zzz', 'n150'].map(add));
      await Promise.all(['n200', 'n399'].map(remove));
      expect(await names.list(path, 'n149', 3)).toEqual(['n150', 'n1505', 'n151']);
      expect(await names.list(path, 'n198', 2)).toEqual(['n199', 'n201']);
      expect(await names.list(path, 'n397', 9)).toEqual(['n398', 'zzz']);
      expect(await names.list(path, undefined, 1)).toEqual(['n099']);
      expect(reads).toBe(0);
      const all = await names.list(path, undefined, 1_000);
      expect(all).toEqual((await files.readdir(path)).sort());
    });

    it('are read again when somebody else changes the folder, at the latest when it has settled', async () => {
      await add('one');
      await sleep(20);
      await writeFile(join(path, 'other'), '');
      expect(await names.list(path, 'one', 1)).toEqual(['other']);
      expect(reads).toBe(1);
      // In the same moment as a change of its own.
      await names.change(join(path, 'two'), true, async () => {
        await writeFile(join(path, 'unseen'), '');
        await writeFile(join(path, 'two'), '');
      });
      await settle();
      await vi.waitFor(async () => expect(await names.list(path, 'two', 1)).toEqual(['unseen']));
    });

    it('are read again after a change that failed, and know what changed while they were read', async () => {
      const failed = names.change(join(path, 'odd'), true, async () => {
        await writeFile(join(path, 'odd'), '');
        throw new Error('planned');
      });
      await expect(failed).rejects.toThrow('planned');
      const [listed] = await Promise.all([names.list(path, 'n399', 9), add('p1'), remove('n399')]);
      expect(listed).toContain('odd');
      expect(await names.list(path, 'n397', 9)).toEqual(['n398', 'odd', 'p1']);
    });
  });
});
