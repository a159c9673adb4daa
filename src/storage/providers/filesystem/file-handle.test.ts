import { constants } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodeFileSystem as files } from './file-system.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-registry-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

const create = () => files.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);

it('writes and reads where it is told to, and says how much', async () => {
  const handle = await create();
  expect(await handle.write(Buffer.from('hello'), 0, 5, 2)).toEqual({ bytesWritten: 5 });
  await handle.sync();
  await handle.datasync();
  const buffer = Buffer.alloc(8);
  expect(await handle.read(buffer, 1, 7, 3)).toEqual({ bytesRead: 4 });
  expect(buffer.toString()).toBe('\0ello\0\0\0');
  expect(await handle.read(buffer, 0, 8, 7)).toEqual({ bytesRead: 0 });
  await handle.truncate(4);
  expect((await handle.stat()).size).toBe(4);
  await handle.close();
  expect(await readFile(path, 'utf8')).toBe('\0\0he');
});

it('fails with the code of the system', async () => {
  await (await create()).close();
  await expect(create()).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(files.rename(join(folder, 'none'), path)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'rename' });
  await expect(files.mkdir(folder, { mode: 0o700 })).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(files.realpath(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it('is closed once, after the calls that run, and refuses later ones', async () => {
  const handle = await create();
  let written = 0;
  const writes = Array.from({ length: 32 }, async (_, index) => {
    const { bytesWritten } = await handle.write(Buffer.alloc(65_536, index), 0, 65_536, index * 65_536);
    written += bytesWritten;
  });
  let writtenAtClose: number | undefined;
  const closed = handle.close().then(() => (writtenAtClose = written));
  expect(handle.close()).toBe(handle.close());
  await expect(handle.sync()).rejects.toMatchObject({ code: 'EBADF' });
  await Promise.all([...writes, closed]);
  // Another file that got its number meanwhile would have received the rest.
  expect(writtenAtClose).toBe(32 * 65_536);
  expect((await readFile(path)).length).toBe(32 * 65_536);
});
