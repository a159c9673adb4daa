import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { Folder } from './support/folder.js';
import { Gate } from './support/gate.js';
import { heldBlob } from './support/held-blob.js';
import { build, Program } from './support/program.js';
import { readResponse } from './support/raw.js';
import { storedFiles } from './support/stored-files.js';
import { until } from './support/until.js';

beforeAll(build, 180_000);

const blob = makeBlob(1_000_000, 'operation');
const image = makeImage({ layers: [5_000] });
const path = `/v2/registry.test/team/app/blobs/${blob.digest}`;

/** The program with one registry behind it, whose blob stops in the middle until the gate opens. */
class Operation implements AsyncDisposable {
  readonly gate = new Gate();
  private readonly programs: Program[] = [];

  private constructor(
    readonly registry: FakeRegistry,
    readonly folder: Folder,
  ) {}

  static async make(): Promise<Operation> {
    const registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    registry.addBlob('team/app', blob);
    const operation = new Operation(registry, await Folder.make());
    const yaml = `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`;
    await writeFile(operation.folder.file('upstreams.yaml'), yaml);
    return operation;
  }

  /** From now on the blob's second half waits for the gate. */
  hold(): void {
    this.registry.behaviour.before = heldBlob(blob, 500_000, this.gate);
  }

  async start(...options: string[]): Promise<Program> {
    const file = ['--upstream-config-file', 'upstreams.yaml'];
    const args = ['--listen', '127.0.0.1:0', ...file, ...options];
    const program = await Program.start(args, { cwd: this.folder.path });
    this.programs.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate.open();
    for (const program of this.programs) await program[Symbol.asyncDispose]();
    await this.registry.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A transfer whose first bytes have arrived. */
async function begin(url: string): Promise<{ response: IncomingMessage; rest: Promise<Buffer> }> {
  const sent = http.get(url, { agent: false });
  sent.on('error', () => undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  const rest = once(response, 'end').then(() => Buffer.concat(chunks));
  rest.catch(() => undefined);
  await once(response, 'data');
  return { response, rest };
}

async function openSocket(url: string): Promise<Socket & { said: () => string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return Object.assign(socket, { said: () => Buffer.concat(chunks).toString('latin1') });
}

function isRefused(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => resolve((socket.destroy(), false)));
    socket.once('error', () => resolve(true));
  });
}

const isStopping = (program: Program) => until('it is stopping', () => program.stdout.includes(' received, '));

describe('SIGTERM', () => {
  it('lets a transfer that runs finish, refuses new connections, and ends with 0', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start();
    const { url } = program;
    const transfer = await begin(`${url}${path}`);
    program.kill('SIGTERM');
    await isStopping(program);
    await until('new connections are refused', () => isRefused(url));
    expect(program.isRunning).toBe(true);
    operation.gate.open();
    expect((await transfer.rest).equals(blob.body)).toBe(true);
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe('');
    expect(await storedFiles(operation.folder.file('data'))).toContain(
      `blobs/sha256/${blob.digest.slice(7, 9)}/${blob.digest.slice(7)}`,
    );
  });

  it('ends at once when nothing runs, also with connections that are idle', async () => {
    await using operation = await Operation.make();
    const program = await operation.start();
    const agent = new http.Agent({ keepAlive: true });
    await request(`${program.url}/v2/`, { agent });
    const idle = await openSocket(program.url);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    agent.destroy();
    idle.destroy();
  });

  it('is told on every connection that stays, with Connection: close on its next answer', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start();
    // One waits for the registry and one has said half of its request when the signal comes.
    const asked = new Gate();
    operation.registry.behaviour.before = async ({ kind }) => {
      if (kind !== 'manifest') return;
      asked.open();
      await operation.gate.opened;
    };
    const waiting = await openSocket(program.url);
    waiting.write('GET /v2/registry.test/team/app/manifests/1 HTTP/1.1\r\nhost: m\r\n\r\n');
    const half = await openSocket(program.url);
    half.write('GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\nGET /v2/ HTTP/1.1\r\n');
    await until('the first of two is answered', () => half.said().includes('{}'));
    await asked.opened;
    program.kill('SIGTERM');
    await isStopping(program);
    half.write('host: m\r\n\r\n');
    operation.gate.open();
    for (const socket of [waiting, half]) if (!socket.closed) await once(socket, 'close');
    const manifest = readResponse(Buffer.from(waiting.said(), 'latin1'))!;
    expect([manifest.status, manifest.headers.connection]).toEqual([200, 'close']);
    expect(manifest.body.equals(image.manifest.body)).toBe(true);
    // One with a request under way gets its response.
    expect(half.said().match(/HTTP\/1\.1 (?!200)/g)).toBeNull();
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('has every request responded to that arrived before it, however many wait on a connection', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start();
    const asked = new Gate();
    const { before } = operation.registry.behaviour;
    operation.registry.behaviour.before = async (request, response) => {
      if (request.kind !== 'manifest') return before?.(request, response);
      asked.open();
      await operation.gate.opened;
    };
    const get = (target: string) => `GET ${target} HTTP/1.1\r\nhost: m\r\n\r\n`;
    // One waits for its header when the signal comes, and one for the rest of a body.
    const sockets = [await openSocket(program.url), await openSocket(program.url)];
    sockets[0]!.write(get('/v2/registry.test/team/app/manifests/1') + get('/v2/') + get('/healthz'));
    sockets[1]!.write(get(path) + get('/v2/') + get('/healthz'));
    await until('a blob is under way', () => sockets[1]!.said().length > 400_000);
    await asked.opened;
    program.kill('SIGTERM');
    await isStopping(program);
    operation.gate.open();
    for (const socket of sockets) {
      if (!socket.closed) await once(socket, 'close');
      const heads = socket.said().match(/HTTP\/1\.1 200|^connection: .*$/gim);
      const kept = ['HTTP/1.1 200', 'Connection: keep-alive'];
      expect(heads).toEqual([...kept, ...kept, 'HTTP/1.1 200', 'Connection: close']);
      expect(socket.said()).toMatch(/"alive"}$/);
    }
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('cuts no response that is ended and waits for its client', async () => {
    await using operation = await Operation.make();
    const program = await operation.start();
    const socket = await openSocket(program.url);
    socket.pause();
    socket.write('GET /metrics HTTP/1.1\r\nhost: m\r\n\r\n'.repeat(1_000));
    const port = Number(new URL(program.url).port).toString(16).toUpperCase().padStart(4, '0');
    let queued = '';
    await until('the client has been sent all that fits', async () => {
      const before = queued;
      const table = await readFile(`/proc/${program.pid}/net/tcp`, 'utf8');
      queued = table.split('\n').find((line) => new RegExp(`^ *\\d+: \\w+:${port} .* 01 `).test(line)) ?? '';
      return queued !== '' && !/ 01 00000000:/.test(queued) && queued === before;
    });
    program.kill('SIGTERM');
    await isStopping(program);
    socket.resume();
    await once(socket, 'close');
    expect(socket.said().match(/HTTP\/1\.1 200/g)).toHaveLength(1_000);
    expect(socket.said().match(/^connection: close/gim)).toHaveLength(1);
    expect(socket.said()).toMatch(/\n$/);
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('lets a download finish that no client follows any more', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start();
    const transfer = await begin(`${program.url}${path}`);
    transfer.response.destroy();
    program.kill('SIGTERM');
    await isStopping(program);
    operation.gate.open();
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(await storedFiles(operation.folder.file('data'))).toContain(
      `blobs/sha256/${blob.digest.slice(7, 9)}/${blob.digest.slice(7)}`,
    );
  });

  it('cuts what still runs after --drain-timeout, and never ends it as if it were whole', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start('--drain-timeout', '300ms');
    const transfer = await begin(`${program.url}${path}`);
    const began = performance.now();
    program.kill('SIGTERM');
    await expect(transfer.rest).rejects.toThrow('aborted');
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(program.stdout).toContain('the drain timeout passed');
    const files = await storedFiles(operation.folder.file('data'));
    // Its history of traffic is written at the end.
    expect(files.filter((path) => !path.startsWith('traffic/'))).toEqual([]);
  });

  it.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGINT'],
  ] as const)('(%s) followed by %s ends at once', async (first, second) => {
    await using operation = await Operation.make();
    operation.hold();
    const program = await operation.start();
    const transfer = await begin(`${program.url}${path}`);
    program.kill(first);
    await isStopping(program);
    program.kill(second);
    expect(await program.end).toEqual({ code: 1, signal: null });
    await expect(transfer.rest).rejects.toThrow('aborted');
  });
});

describe('a restart', () => {
  it('serves what was stored, without the registry', async () => {
    await using operation = await Operation.make();
    const targets = [
      '/v2/registry.test/team/app/manifests/1',
      `/v2/registry.test/team/app/manifests/${image.manifest.digest}`,
      ...[image.config, ...image.layers, blob].map(({ digest }) => `/v2/registry.test/team/app/blobs/${digest}`),
    ];
    const bodies: Buffer[] = [];
    const first = await operation.start();
    for (const target of targets) bodies.push((await request(`${first.url}${target}`)).body);
    first.kill('SIGTERM');
    await first.end;
    await operation.registry.stop();
    const second = await operation.start();
    for (const [index, target] of targets.entries()) {
      const reply = await request(`${second.url}${target}`);
      expect([reply.status, reply.headers['x-cache'], reply.body.equals(bodies[index]!)], target).toEqual([
        200,
        'HIT',
        true,
      ]);
    }
  });

  it('after kill -9 in the middle of a download fetches it anew, whole', async () => {
    await using operation = await Operation.make();
    operation.hold();
    const first = await operation.start();
    const transfer = await begin(`${first.url}${path}`);
    first.kill('SIGKILL');
    await first.end;
    await expect(transfer.rest).rejects.toThrow('aborted');
    operation.registry.behaviour.before = undefined;
    const second = await operation.start();
    const reply = await request(`${second.url}${path}`);
    expect([reply.headers['x-cache'], reply.body.equals(blob.body)]).toEqual(['MISS', true]);
  });
});

describe('standard output', () => {
  it('is one JSON object a line', async () => {
    await using operation = await Operation.make();
    const program = await operation.start();
    for (const target of ['/v2/', '/v2/registry.test/team/app/manifests/1', '/v2/%0a%22%7d/manifests/1', '/foo'])
      await request(`${program.url}${target}`);
    program.kill('SIGTERM');
    await program.end;
    expect(program.log.filter(({ msg }) => msg === 'request')).toHaveLength(4);
    for (const line of program.log)
      expect(line).toMatchObject({ level: expect.any(Number) as number, msg: expect.any(String) as string });
  });
});
