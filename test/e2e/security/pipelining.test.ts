import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { Folder } from '../support/folder.js';
import { Probe } from '../support/probe.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

const json = { 'content-type': 'application/json' };
const tags = Array.from({ length: 150_000 }, (_, index) => `v1.${index}.0-${'x'.repeat(12)}`);
const list = JSON.stringify({ name: 'app', tags });
const target = '/v2/evil.test/app/tags/list';

/** The program with a registry whose tag list has 4 MB. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly upstream: ScriptedUpstream,
    readonly program: Program,
    private readonly folder: Folder,
  ) {}

  static async set(...args: readonly string[]): Promise<Scene> {
    const [upstream, folder] = [await ScriptedUpstream.start(), await Folder.make()];
    upstream.on('GET', /tags\/list/, plain(200, list, json));
    const file = folder.file('upstreams.yaml');
    writeFileSync(file, `- {namespace: evil.test, host: '${upstream.host}', tls: false}`);
    const options = ['--listen', '127.0.0.1:0', '--upstream-config-file', file, ...args];
    const program = await Program.start(options, { cwd: folder.path });
    expect((await request(`${program.url}${target}`)).body.length).toBeGreaterThan(3_900_000);
    return new Scene(upstream, program, folder);
  }

  /** A connection on which requests have been sent without waiting for responses. */
  async pipeline(count: number, path = target): Promise<Socket> {
    const socket = connect(Number(new URL(this.program.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: m\r\n\r\n`.repeat(count));
    return socket;
  }

  async memory(field: 'VmHWM' | 'VmRSS'): Promise<number> {
    const status = await readFile(`/proc/${this.program.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
  }

  async delayDuring(action: () => Promise<void>): Promise<number> {
    await using probe = new Probe(`${this.program.url}/healthz`);
    await action();
    const { p99, slowdown } = await probe.end();
    // What else this machine is busy with is not the program's doing.
    return p99 / Math.max(1, slowdown);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.upstream.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Reads until so many responses have begun. */
async function responsesOf(socket: Socket, count: number): Promise<number> {
  let seen = 0;
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const text = rest + chunk.toString('latin1');
    seen += text.split('HTTP/1.1 200 OK').length - 1;
    rest = text.slice(-14);
  });
  socket.resume();
  await until(`${count} responses`, () => seen >= count || socket.closed, 30_000);
  return seen;
}

describe('pipelined requests', () => {
  it.each([
    ['a client that takes nothing', false],
    ['a client that takes everything', true],
  ])('for a list of 4 MB: %s holds nobody up, and 60 cost what one does', { timeout: 90_000 }, async (_, isReading) => {
    await using scene = await Scene.set();
    const delay = await scene.delayDuring(async () => {
      const socket = await scene.pipeline(60);
      if (isReading) expect(await responsesOf(socket, 60)).toBe(60);
      else await sleep(3_000);
      socket.destroy();
    });
    const peak = await scene.memory('VmHWM');
    console.log(`60 pipelined lists, read: ${isReading}: p99 ${delay.toFixed(0)} ms, peak ${peak.toFixed(0)} MiB`);
    expect(delay).toBeLessThanOrEqual(100);
    expect(peak).toBeLessThanOrEqual(250);
  });

  it('are answered one after the other, in order, however many there are', { timeout: 60_000 }, async () => {
    await using scene = await Scene.set();
    const socket = await scene.pipeline(5_000, '/v2/');
    expect(await responsesOf(socket, 5_000)).toBe(5_000);
    socket.destroy();
  });

  it('of 60 connections for a list of 4 MB hold nobody up', { timeout: 90_000 }, async () => {
    await using scene = await Scene.set();
    const delay = await scene.delayDuring(async () => {
      for (let round = 0; round < 5; round += 1) {
        const sockets = await Promise.all(Array.from({ length: 60 }, () => scene.pipeline(1)));
        for (const socket of sockets) expect(await responsesOf(socket, 1)).toBe(1);
        for (const socket of sockets) socket.destroy();
      }
    });
    const peak = await scene.memory('VmHWM');
    console.log(`60 connections, one list each: p99 ${delay.toFixed(0)} ms, peak ${peak.toFixed(0)} MiB`);
    expect(delay).toBeLessThanOrEqual(100);
    expect(peak).toBeLessThanOrEqual(250);
  });
});

describe.concurrent('a client that takes nothing of a response for --client-timeout', () => {
  it.each([
    ['a list', target, 100, 10],
    ['the metrics', '/metrics', 5, 1_000],
  ])('is disconnected: %s', { timeout: 60_000 }, async (_, path, clients, requests) => {
    await using scene = await Scene.set('--client-timeout', '2s');
    const sockets = await Promise.all(Array.from({ length: clients }, () => scene.pipeline(requests, path)));
    const connections = async () => {
      const text = await readFile(`/proc/${scene.program.pid}/net/tcp`, 'utf8');
      const port = Number(new URL(scene.program.url).port).toString(16).toUpperCase().padStart(4, '0');
      return text
        .split('\n')
        .filter((line) => new RegExp(`^ *\\d+: [0-9A-F]+:${port} [0-9A-F]+:[0-9A-F]+ 01`).test(line)).length;
    };
    expect(await connections()).toBe(clients);
    await until('all are disconnected', async () => (await connections()) === 0, 30_000);
    expect(await scene.memory('VmHWM')).toBeLessThanOrEqual(250);
    for (const socket of sockets) socket.destroy();
  });
});
