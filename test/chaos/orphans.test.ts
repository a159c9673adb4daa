import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { Gate } from '../e2e/support/gate.js';
import { heldBlob } from '../e2e/support/held-blob.js';
import { build } from '../e2e/support/program.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import { Watcher } from './support/client.js';
import { freePort } from './support/cluster.js';

beforeAll(build, 180_000);

const main = join(import.meta.dirname, '../../dist/main.js');
const workersOf = async ({ pid }: ChildProcess): Promise<number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number);

/** A process that has ended and that nobody has asked about does not count. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !/\) [ZX]/.test(status);
}

interface Group extends AsyncDisposable {
  readonly supervisor: ChildProcess;
  readonly url: string;
  readonly folder: Folder;
  /** What it has logged as far as that was read. */
  text(): string;
}

const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
});

async function start(env: Record<string, string> = {}, upstreams = ''): Promise<Group> {
  const folder = await Folder.make();
  await writeFile(folder.file('u.yaml'), upstreams);
  const port = await freePort();
  const args = ['--workers', '2', '--listen', `127.0.0.1:${port}`, '--upstream-config-file', 'u.yaml'];
  const supervisor = spawn(process.execPath, [main, ...args, 'filesystem', '--root', folder.file('data')], {
    cwd: folder.path,
    env: { PATH: process.env.PATH ?? '', ADMIN_LISTEN: 'off', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(supervisor.pid!);
  let text = '';
  supervisor.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const dispose = async () => {
    supervisor.kill('SIGKILL');
    await folder[Symbol.asyncDispose]();
  };
  return {
    supervisor,
    folder,
    url: `http://127.0.0.1:${port}`,
    text: () => text,
    [Symbol.asyncDispose]: dispose,
  };
}

const listens = (group: Group) =>
  until('both workers listen', () => group.text().split('listening on ').length === 3, 60_000);

/** Kills the supervisor and waits for its workers. @returns milliseconds until all of them had ended */
async function endOf({ supervisor }: Group): Promise<number> {
  const workers = await workersOf(supervisor);
  expect(workers.length).toBeGreaterThan(0);
  started.push(...workers);
  const from = performance.now();
  supervisor.kill('SIGKILL');
  await until('its workers have ended', async () => !(await Promise.all(workers.map(isRunning))).includes(true), 5_000);
  return performance.now() - from;
}

describe('workers whose supervisor is killed end within 5 s', { timeout: 120_000 }, () => {
  it('at rest', async () => {
    await using group = await start();
    await listens(group);
    expect(await endOf(group)).toBeLessThan(5_000);
  });

  it('while they start', async () => {
    await using group = await start();
    await until('there is a worker', async () => (await workersOf(group.supervisor)).length > 0, 60_000);
    await endOf(group);
  });

  it.each(['in the middle of a transfer', 'while they drain'])('%s', async (when) => {
    await using registry = await FakeRegistry.start();
    const blob = makeBlob(2_000_000, when);
    registry.addBlob('app', blob);
    const gate = new Gate();
    registry.behaviour.before = heldBlob(blob, 1_000_000, gate);
    await using group = await start({}, `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
    await listens(group);
    const transfer = await Watcher.open(`${group.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    await transfer.has(500_000);
    if (when === 'while they drain') {
      group.supervisor.kill('SIGTERM');
      await until('they drain', () => group.text().includes('SIGTERM received'));
    }
    await endOf(group);
    gate.open();
    expect(await transfer.isWhole()).toBe(false);
  });

  it('after they have drained, if something keeps them', async () => {
    const folder = await Folder.make();
    await writeFile(folder.file('keep.mjs'), 'setInterval(() => undefined, 1_000);\n');
    await using group = await start({ NODE_OPTIONS: `--import ${folder.file('keep.mjs')}` });
    await listens(group);
    group.supervisor.kill('SIGTERM');
    await until('they have drained', () => group.text().split('SIGTERM received').length === 3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await endOf(group);
    await folder[Symbol.asyncDispose]();
  });

  it('when nobody reads their log', async () => {
    await using group = await start({ LOG_LEVEL: 'trace' });
    await listens(group);
    group.supervisor.stdout!.pause();
    // More than fits into the pipe.
    await Promise.all(
      Array.from({ length: 8 }, async (_, client) => {
        for (let count = 0; count < 250; count += 1)
          expect((await request(`${group.url}/v2/unread-${client}-${count}-${'x'.repeat(200)}`)).status).toBe(404);
      }),
    );
    await endOf(group);
  });
});
