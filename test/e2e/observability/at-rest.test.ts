import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { build, Program } from '../support/program.js';
import { Folder } from '../support/folder.js';

/** In MiB, by the version of Node: docs/performance.md. */
const bounds =
  Number(process.versions.node.split('.')[0]) < 22 ? { whole: 62, anonymous: 22 } : { whole: 70, anonymous: 25 };

beforeAll(build, 180_000);

test('a process that has served /v2/ once stays within its memory at rest', async () => {
  await using folder = await Folder.make();
  await using program = await Program.start(['--listen', '127.0.0.1:0', 'filesystem', '--root', folder.path], {
    env: { ADMIN_LISTEN: '127.0.0.1:0' },
  });
  expect((await fetch(`${program.url}/v2/`)).status).toBe(200);
  // V8 gives free pages back 8 s after a collection.
  await sleep(11_000);
  const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
  const mebibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  expect(mebibytes('VmRSS')).toBeLessThanOrEqual(bounds.whole);
  expect(mebibytes('RssAnon')).toBeLessThanOrEqual(bounds.anonymous);
});
