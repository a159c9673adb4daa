import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { build, Program } from '../support/program.js';
import { Folder } from '../support/folder.js';

/**
 * In MiB, beyond what a bare `node:http` server has on the same machine, by the version of Node: docs/performance.md.
 * How much of a file is mapped at once, and what an allocator keeps, differs between machines.
 */
const beyondBare =
  Number(process.versions.node.split('.')[0]) < 22 ? { whole: 18, anonymous: 14 } : { whole: 20, anonymous: 15 };

/** V8 gives free pages back 8 s after a collection; a busy machine is later with everything. */
const REST_MS = 30_000;

const bareServer = `require('node:http')
  .createServer((_, response) => response.end('{}'))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

beforeAll(build, 180_000);

test('a process that has served /v2/ once stays within its memory at rest', async () => {
  await using folder = await Folder.make();
  await using program = await Program.start(['--listen', '127.0.0.1:0', 'filesystem', '--root', folder.path], {
    env: { ADMIN_LISTEN: '127.0.0.1:0' },
  });
  expect((await fetch(`${program.url}/v2/`)).status).toBe(200);
  const bare = await memoryOfBareServer();
  const deadline = Date.now() + REST_MS;
  for (;;) {
    await sleep(1000);
    const memory = await memoryOf(program.pid);
    const beyond = { whole: memory.whole - bare.whole, anonymous: memory.anonymous - bare.anonymous };
    if (beyond.whole <= beyondBare.whole && beyond.anonymous <= beyondBare.anonymous) return;
    if (Date.now() > deadline) expect.fail(`${JSON.stringify({ memory, bare, beyondBare })}, in MiB`);
  }
});

async function memoryOfBareServer() {
  const server = spawn(process.execPath, ['-e', bareServer], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = (await once(server.stdout, 'data')) as [Buffer];
    expect((await fetch(`http://127.0.0.1:${Number(port)}/`)).status).toBe(200);
    return await memoryOf(server.pid);
  } finally {
    server.kill('SIGKILL');
  }
}

async function memoryOf(pid: number | undefined) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { whole: mebibytes('VmRSS'), anonymous: mebibytes('RssAnon') };
}
