import { readFile, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { Gate } from '../e2e/support/gate.js';
import { heldBlob } from '../e2e/support/held-blob.js';
import { writeKeyPair } from '../e2e/support/key-pair.js';
import { build, Program } from '../e2e/support/program.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request, type RequestOptions } from '../fakes/request.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { pull, Watcher, type Outcome } from './support/client.js';
import { freePort } from './support/cluster.js';

beforeAll(build, 180_000);

let folder: Folder;
let registry: FakeRegistry;

beforeEach(async () => {
  folder = await Folder.make();
  registry = await FakeRegistry.start();
  await writeFile(
    folder.file('upstreams.yaml'),
    `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`,
  );
});

afterEach(async () => {
  await registry.close();
  await folder[Symbol.asyncDispose]();
});

const argsOf = (workers: number, ...more: string[]) => [
  ...['--workers', String(workers), '--upstream-config-file', 'upstreams.yaml', '--listen', ...more],
  ...['filesystem', '--root', folder.file('data')],
];

/** The workers that said so, by number, each as often as it did. */
const listening = ({ log }: Program) =>
  log.filter(({ msg, context }) => context === 'Server' && String(msg).startsWith('listening')).map((l) => l.worker);

async function start(workers: number, ...more: string[]): Promise<Program> {
  const program = await Program.start(argsOf(workers, ...more), { cwd: folder.path });
  await until('all workers listen', () => listening(program).length === workers, 60_000);
  return program;
}

const pathOf = ({ digest }: FixtureBlob) => `/v2/registry.test/app/blobs/${digest}`;
const responded = ({ log }: Program) => new Set(log.filter(({ msg }) => msg === 'request').map(({ worker }) => worker));
/** The system chooses who accepts; under load it comes to be everybody. */
const everybodyResponds = (program: Program, count: number, options?: RequestOptions) =>
  until('every worker has answered', async () => {
    await Promise.all(Array.from({ length: 40 }, () => request(`${program.url}/v2/`, options)));
    return responded(program).size === count;
  });
const childrenOf = async ({ pid }: Program) =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);

describe('several workers', () => {
  it('serve on one socket, and cost one GET of a cold blob together', async () => {
    await using program = await start(3, '127.0.0.1:0');
    const blob = makeBlob(20_000_000, 'workers');
    registry.addBlob('app', blob);
    registry.behaviour.bytesPerSecond = 10_000_000;
    const clients = Array.from({ length: 60 }, () => pull(`${program.url}${pathOf(blob)}`, blob.body));
    const verdicts = (await Promise.all(clients)).map(({ verdict }) => verdict);
    expect(verdicts.filter((verdict) => verdict !== 'right')).toEqual([]);
    expect(registry.select({ kind: 'blob', method: 'GET', reference: blob.digest })).toHaveLength(1);
    await everybodyResponds(program, 3);
    expect([...responded(program)].sort()).toEqual([1, 2, 3]);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe('');
  });

  it('trust only leases that are signed with a key of their supervisor', async () => {
    await using program = await start(2, '127.0.0.1:0');
    const blob = makeBlob(2_000_000, 'signed');
    registry.addBlob('app', blob);
    const gate = new Gate();
    registry.behaviour.before = heldBlob(blob, 1_000_000, gate);
    const transfer = await Watcher.open(`${program.url}${pathOf(blob)}`, blob.body);
    await transfer.has(500_000);
    const [lease = ''] = (await storedFiles(folder.file('data'))).filter((file) => file.startsWith('leases/'));
    const { signature } = JSON.parse(await readFile(folder.file(`data/${lease}`), 'utf8')) as { signature?: string };
    expect(signature).toMatch(/^[\w-]{43}$/);
    gate.open();
    expect(await transfer.isWhole()).toBe(true);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('go on without one that is killed under load, which comes back', { timeout: 120_000 }, async () => {
    await using program = await start(3, `127.0.0.1:${await freePort()}`);
    const blobs = Array.from({ length: 12 }, (_, index) => makeBlob(1_000_000 + index, `load ${index}`));
    for (const blob of blobs) registry.addBlob('app', blob);
    const isOver = new AbortController();
    const load = async (first: number) => {
      const outcomes: Outcome['verdict'][] = [];
      for (let turn = first; !isOver.signal.aborted; turn += 1) {
        const blob = blobs[turn % blobs.length]!;
        outcomes.push((await pull(`${program.url}${pathOf(blob)}`, blob.body)).verdict);
      }
      return outcomes;
    };
    const clients = Array.from({ length: 8 }, (_, index) => load(index));
    await sleep(300);
    const [victim] = await childrenOf(program);
    process.kill(victim!, 'SIGKILL');
    await until('the worker is back', () => listening(program).length === 4, 60_000);
    await sleep(300);
    isOver.abort();
    const verdicts = (await Promise.all(clients)).flat();
    expect(verdicts.filter((verdict) => verdict === 'wrong' || verdict === 'refused')).toEqual([]);
    // Each client loses the answer that it was getting, and no other.
    expect(verdicts.filter((verdict) => verdict === 'broken').length).toBeLessThanOrEqual(clients.length * 2);
    expect(verdicts.filter((verdict) => verdict === 'right').length).toBeGreaterThan(50);
    const told = program.log.find(({ context, msg }) => context === 'Supervisor' && /SIGKILL/.test(String(msg)));
    const [, number] = /worker (\d)/.exec(String(told?.msg)) ?? [];
    expect(listening(program).at(-1)).toBe(Number(number));
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('are given up when one dies again and again', { timeout: 120_000 }, async () => {
    await using program = await start(2, `127.0.0.1:${await freePort()}`);
    const [stays] = await childrenOf(program);
    for (let death = 1; death <= 5; death += 1) {
      const others = (await childrenOf(program)).filter((pid) => pid !== stays);
      expect(others).toHaveLength(1);
      process.kill(others[0]!, 'SIGKILL');
      if (death < 5) await until('it is back', () => listening(program).length === 2 + death, 60_000);
    }
    expect(await program.end).toEqual({ code: 1, signal: null });
    expect(program.stdout).toContain('5 times within a minute, giving up');
  });

  it('let a slow transfer end at SIGTERM, also one that each of them gets from a signal of its own', async () => {
    await using program = await start(2, '127.0.0.1:0');
    const blob = makeBlob(2_000_000, 'slow');
    registry.addBlob('app', blob);
    const gate = new Gate();
    registry.behaviour.before = heldBlob(blob, 1_000_000, gate);
    // One of each worker: the second one follows the first.
    const transfers = await Promise.all([0, 1].map(() => Watcher.open(`${program.url}${pathOf(blob)}`, blob.body)));
    await Promise.all(transfers.map((transfer) => transfer.has(500_000)));
    for (const pid of await childrenOf(program)) process.kill(pid, 'SIGTERM');
    program.kill('SIGTERM');
    await until('both drain', () => program.log.filter(({ msg }) => / received, /.test(String(msg))).length === 2);
    expect(program.isRunning).toBe(true);
    gate.open();
    expect(await Promise.all(transfers.map((transfer) => transfer.isWhole()))).toEqual([true, true]);
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(registry.select({ kind: 'blob', method: 'GET' })).toHaveLength(1);
  });

  it('leave with their supervisor when that is killed', async () => {
    await using program = await start(2, '127.0.0.1:0');
    const workers = await childrenOf(program);
    program.kill('SIGKILL');
    await program.end;
    const isThere = (pid: number) => stat(`/proc/${pid}`).then(Boolean, () => false);
    await until('the workers have gone', async () => !(await Promise.all(workers.map(isThere))).includes(true));
  });

  it('say once, in one line, what keeps them from starting', async () => {
    await writeFile(folder.file('data'), 'a file');
    const program = await Program.run(argsOf(3, '127.0.0.1:0'), { cwd: folder.path });
    expect([program.code, program.stderr.trimEnd().split('\n').length]).toEqual([2, 1]);
    expect(program.stderr).toContain(folder.file('data'));
    const port = await freePort();
    await folderOfItsOwn(async (cwd) => {
      await using first = await Program.start(['--listen', `127.0.0.1:${port}`], { cwd });
      const second = await Program.run(['--workers', '3', '--listen', `127.0.0.1:${port}`], { cwd });
      expect([second.code, second.stderr]).toEqual([
        2,
        expect.stringMatching(
          `^cannot listen on 127\\.0\\.0\\.1:${port}: EADDRINUSE: [^\\n]+--listen \\(LISTEN\\)\\n$`,
        ),
      ]);
      expect(first.isRunning).toBe(true);
    });
  });

  it('serve on a socket file, which goes with them', async () => {
    const socket = folder.file('s.sock');
    await using program = await start(2, `unix:${socket}`);
    const get = () =>
      new Promise<number | undefined>((resolve, reject) => {
        const sent = http.get({ socketPath: socket, path: '/v2/', agent: false }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        });
        sent.once('error', reject);
      });
    const statuses = await Promise.all(Array.from({ length: 20 }, get));
    expect(new Set(statuses)).toEqual(new Set([200]));
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });

  it('close connections beyond those that each may have', async () => {
    await using program = await start(2, '127.0.0.1:0', '--max-connections', '1');
    const port = Number(new URL(program.url).port);
    const open = async () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    };
    const sockets = [await open(), await open(), await open(), await open(), await open()];
    for (const socket of sockets) socket.resume();
    await sleep(500);
    const kept = sockets.filter(({ closed }) => !closed);
    expect([1, 2]).toContain(kept.length);
    for (const socket of kept) socket.destroy();
    await until('there is room again', async () => (await pull(`${program.url}/`, Buffer.from('ok'))).status === 200);
  });

  it('sweep once, not once each', async () => {
    await using program = await start(2, '127.0.0.1:0', '--sweep-interval', '200ms');
    const sweeps = () => program.log.filter(({ msg }) => String(msg).startsWith('sweep started'));
    await until('there were some sweeps', () => sweeps().length > 5);
    expect(new Set(sweeps().map(({ worker }) => worker))).toEqual(new Set([1]));
  });

  it('serve https together, share downloads, and live through SIGHUP', async () => {
    const { flags, cert } = await writeKeyPair(folder);
    await using program = await start(2, '127.0.0.1:0', ...flags);
    const blob = makeBlob(2_000_000, 'secure');
    registry.addBlob('app', blob);
    registry.behaviour.bytesPerSecond = 1_000_000;
    const url = `${program.url}${pathOf(blob)}`;
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => pull(url, blob.body, { ca: cert })));
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(Array(6).fill('right'));
    expect(registry.select({ kind: 'blob', method: 'GET' })).toHaveLength(1);
    await everybodyResponds(program, 2, { ca: cert });
    const next = await writeKeyPair(folder);
    program.kill('SIGHUP');
    const renewed = () => program.log.filter(({ context, msg }) => context === 'Tls' && /new cert/.test(String(msg)));
    await until('both serve with the new certificate', () => renewed().length === 2);
    expect((await request(`${program.url}/v2/`, { ca: next.cert })).status).toBe(200);
  });

  it('have one admin address, at the first of them', async () => {
    const port = await freePort();
    await using program = await start(2, '127.0.0.1:0', '--admin-listen', `127.0.0.1:${port}`);
    const lines = program.log.filter(({ msg }) => String(msg).startsWith('serving /_admin'));
    expect(lines.map(({ worker }) => worker)).toEqual([1]);
    expect((await request(`http://127.0.0.1:${port}/_admin/usage`)).status).toBe(200);
  });
});

async function folderOfItsOwn(work: (path: string) => Promise<void>): Promise<void> {
  await using other = await Folder.make();
  await work(other.path);
}
