import { stat } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

it.each([
  ['of one process', []],
  ['beside several workers', ['--workers', '2']],
])('the admin socket file is its owner’s alone: %s', async (_, more) => {
  await using folder = await Folder.make();
  const path = folder.file('admin.sock');
  const args = ['--listen', '127.0.0.1:0', '--admin-listen', `unix:${path}`, ...more];
  await using program = await Program.start(args, { cwd: folder.path });
  await until('the admin address is there', () => program.stdout.includes('serving /_admin at'));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  // What is stored is made with the umask of the process.
  expect((await stat(folder.file('data'))).mode & 0o777).not.toBe(0o600);
});
