import { mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcessFolders } from './process.folders.js';

/** Of a process on another machine. */
const foreign = '0123456789ab-77-0123456789abcdef';

describe('the folders of processes', () => {
  let root = '';
  let now = 0;
  let adopted: string[] = [];
  let failures: unknown[] = [];
  let folders: ProcessFolders;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'oci-registry-folders-'));
    [now, adopted, failures] = [0, [], []];
    folders = make();
  });
  afterEach(async () => {
    await folders.release();
    await rm(root, { recursive: true });
    expect(failures).toEqual([]);
  });

  const make = () =>
    new ProcessFolders(root, {
      monotonic: () => now,
      onAdopt: async (folder) => {
        adopted.push(...(await readdir(folder)));
      },
      onFailure: (error) => failures.push(error),
    });
  const leave = async (name: string) => {
    await mkdir(join(root, name, 'ci'), { recursive: true });
    await writeFile(join(root, name, 'ci', 'event'), '');
  };
  const wait = async (milliseconds: number) => {
    now += milliseconds;
    await folders.look();
  };

  it('of a process that ended are taken over at once', async () => {
    await leave('left-0123456789abcdef');
    await folders.open();
    expect(adopted).toEqual(['ci']);
    expect(await readdir(root)).toHaveLength(2);
  });

  it('of a process elsewhere are taken over after half a minute without a sign of life', async () => {
    await leave(foreign);
    await folders.open();
    await wait(29_000);
    expect(adopted).toEqual([]);
    // Its clock may be wrong: any change is a sign of life.
    await utimes(join(root, foreign), 1, 1);
    await wait(29_000);
    await wait(29_000);
    expect(adopted).toEqual([]);
    await wait(1_000);
    expect(adopted).toEqual(['ci']);
  });

  it('of another server in this process, and those of other programs, are left alone', async () => {
    await folders.open();
    const other = make();
    await other.open();
    await leave('lost+found');
    await leave('left-');
    await wait(60_000);
    await wait(60_000);
    expect(adopted).toEqual([]);
    await other.release();
    expect(await readdir(root)).toHaveLength(3);
  });

  it('are replaced when another process has taken them', async () => {
    await folders.open();
    const first = folders.current!;
    await rename(first, join(root, foreign));
    await wait(5_000);
    expect(folders.current).not.toBe(first);
    expect((await readdir(root)).sort()).toEqual([foreign, folders.current!.slice(root.length + 1)].sort());
  });

  it('go when they are empty, and stay for the next process otherwise', async () => {
    await folders.open();
    await folders.release();
    expect(await readdir(root)).toEqual([]);
    await folders.open();
    await mkdir(join(folders.current!, 'ci'));
    await writeFile(join(folders.current!, 'ci', 'event'), '');
    await folders.release();
    expect(await readdir(root)).toEqual([expect.stringMatching(/^left-[0-9a-f]{16}$/)]);
  });

  it('that were taken over and have become empty are removed', async () => {
    await leave('left-0123456789abcdef');
    await folders.open();
    const [taken] = (await readdir(root)).filter((name) => !folders.current!.endsWith(name));
    await rm(join(root, taken!, 'ci', 'event'));
    await wait(5_000);
    expect(await readdir(root)).toEqual([folders.current!.slice(root.length + 1)]);
  });
});
