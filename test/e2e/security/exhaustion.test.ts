import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { plain, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { request } from '../../fakes/request.js';
import { digestOf, makeBlob } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { build, Program } from '../support/program.js';
import { rawRequest, readResponse } from '../support/raw.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** A connection with a response in progress, of which the client takes nothing. */
async function dialBusy({ mirror, registry }: Stage): Promise<Socket> {
  registry.addBlob('team/app', largeBlob);
  const socket = await dial(mirror.url);
  socket.write(`GET /v2/registry.test/team/app/blobs/${largeBlob.digest} HTTP/1.1\r\nhost: m\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

/** One after the other: a connection that has asked for nothing yet counts as idle. */
async function dialAllBusy(stage: Stage, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) sockets.push(await dialBusy(stage));
  return sockets;
}

const largeBlob = makeBlob(32 * 1024 * 1024, 'not taken');

/** Everything a socket says until it is closed, and after how many milliseconds that was. */
async function heard(socket: Socket): Promise<{ said: Buffer; after: number }> {
  const start = performance.now();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return { said: Buffer.concat(chunks), after: performance.now() - start };
}

describe.concurrent('a client that takes its time', () => {
  it.each([
    ['sends no end of a header', 'GET /v2/ HTTP/1.1\r\nhost: m\r\nx-slow: '],
    ['sends a header byte by byte', 'GET /v2/ HTTP/1.1\r\nhost: m\r\nx-slow: '],
  ])('is cut off after 10 s when it %s', { timeout: 40_000 }, async (way, text) => {
    await using mirror = await Mirror.start();
    const socket = await dial(mirror.url);
    socket.write(text);
    const drip = setInterval(() => way.includes('byte') && socket.writable && socket.write('a'), 500);
    const { said, after } = await heard(socket);
    clearInterval(drip);
    const response = readResponse(said);
    expectError(response!, 408, 'REQUEST_INVALID');
    expect(after).toBeGreaterThan(9_000);
    expect(after).toBeLessThan(20_000);
  });

  it(
    'is cut off after --client-timeout when it takes nothing of a blob, and a patient one is not',
    { timeout: 40_000 },
    async () => {
      const blob = makeBlob(64 * 1024 * 1024, 'taken slowly');
      await using stage = await Stage.start({ server: { clientTimeout: 2_000 } });
      stage.registry.addBlob('team/app', blob);
      const path = `team/app/blobs/${blob.digest}`;
      expect((await stage.head(path)).status).toBe(200);
      const ask = async () => {
        const socket = await dial(stage.mirror.url);
        socket.write(`GET /v2/registry.test/${path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n`);
        return socket;
      };
      const stuck = await ask();
      stuck.pause();
      const slow = await ask();
      let received = 0;
      slow.on('data', (chunk: Buffer) => {
        received += chunk.length;
        // 5 MB a second, in gulps.
        slow.pause();
        setTimeout(() => slow.resume(), chunk.length / 5_000);
      });
      const server = stage.mirror.app.getHttpServer();
      const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
      expect(await connections()).toBe(2);
      await until('the one that is stuck is cut', async () => (await connections()) < 2, 15_000);
      await once(slow, 'close');
      expect(received).toBeGreaterThan(blob.body.length);
      // It was reset: the kernel does not keep what was never taken, megabytes otherwise.
      const rest = heard(stuck);
      stuck.resume();
      expect((await rest).said.length).toBeLessThan(1024 * 1024);
    },
  );
});

describe('limits', () => {
  it('--max-connections: one more is closed at once, and there is room again when one has left', async () => {
    await using stage = await Stage.start({ server: { maxConnections: 5, maxConnectionsPerAddress: 5 } });
    const { mirror } = stage;
    const held = await dialAllBusy(stage, 5);
    const { said, after } = await heard(await dial(mirror.url));
    expect([said.length, after < 1_000]).toEqual([0, true]);
    held.pop()!.destroy();
    await until(
      'there is room',
      async () => (await request(`${mirror.url}/v2/`).catch(() => undefined))?.status === 200,
    );
    for (const socket of held) socket.destroy();
  });

  it('near --max-connections the connection that is idle longest is closed, and none that is in use', async () => {
    await using stage = await Stage.start({ server: { maxConnections: 10, maxConnectionsPerAddress: 10 } });
    const busy = await dialAllBusy(stage, 4);
    const idle: Socket[] = [];
    for (let count = 0; count < 5; count += 1) {
      idle.push(await dial(stage.mirror.url));
      await sleep(20);
    }
    // The first has been used last.
    idle[0]!.write('GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n');
    await once(idle[0]!, 'data');
    for (let count = 0; count < 3; count += 1) {
      const { hostname, port } = new URL(stage.mirror.url);
      const next = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.3' });
      await once(next, 'connect');
      next.write('GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n');
      await once(next, 'data');
      idle.push(next);
    }
    for (const closed of idle.slice(1, 4)) await until('it is closed', () => closed.closed || closed.destroyed);
    await sleep(100);
    expect([...idle.slice(0, 1), ...idle.slice(4), ...busy].map((socket) => socket.destroyed)).not.toContain(true);
    for (const socket of [...idle, ...busy]) socket.destroy();
  });

  it('--max-connections-per-address: one more of an address is closed at once, and others are served', async () => {
    await using stage = await Stage.start({ server: { maxConnectionsPerAddress: 3 } });
    const held = await dialAllBusy(stage, 3);
    const { said, after } = await heard(await dial(stage.mirror.url));
    expect([said.length, after < 1_000]).toEqual([0, true]);
    const { hostname, port } = new URL(stage.mirror.url);
    const other = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2' });
    other.write('GET /v2/ HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n');
    expect(readResponse((await heard(other)).said)?.status).toBe(200);
    held.pop()!.destroy();
    await until('there is room', async () => {
      const reply = await request(`${stage.mirror.url}/v2/`).catch(() => undefined);
      return reply?.status === 200;
    });
    for (const socket of held) socket.destroy();
  });

  it('of one address, the connection that is idle longest makes room for another', async () => {
    await using mirror = await Mirror.start({ server: { maxConnections: 6 } });
    const first = await dial(mirror.url);
    await sleep(20);
    const more = [await dial(mirror.url), await dial(mirror.url)];
    await sleep(20);
    expect((await request(`${mirror.url}/v2/`)).status).toBe(200);
    await until('the first is closed', () => first.closed || first.readableEnded);
    expect(more.map((socket) => socket.destroyed)).toEqual([false, false]);
    for (const socket of more) socket.destroy();
  });

  it('--max-header-size: a larger header is 431, also when it is one field of many', async () => {
    await using mirror = await Mirror.start({ server: { maxHeaderSize: 2_048 } });
    const lines = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: ${'y'.repeat(80)}`);
    expect((await rawRequest(mirror.url, '/v2/', { headers: lines(15) })).status).toBe(200);
    expectError(await rawRequest(mirror.url, '/v2/', { headers: lines(40) }), 431, 'REQUEST_INVALID');
    expectError(await rawRequest(mirror.url, `/v2/${'a'.repeat(4_000)}`), 431, 'REQUEST_INVALID');
  });

  it(
    '1,000 connections that are idle cost no more than 20 MiB, and nobody else notices',
    { timeout: 120_000 },
    async () => {
      await using folder = await Folder.make();
      await using program = await Program.start(['--listen', '127.0.0.1:0'], { cwd: folder.path });
      const resident = async () => {
        const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
        return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
      };
      for (let count = 0; count < 500; count += 1) await request(`${program.url}/v2/`);
      await sleep(500);
      const before = await resident();
      const sockets = await Promise.all(Array.from({ length: 1_000 }, () => dial(program.url)));
      // Half of them have asked for something before.
      for (const socket of sockets.slice(500)) {
        socket.write('GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n');
        await once(socket, 'data');
      }
      await sleep(500);
      const cost = (await resident()) - before;
      console.log(`1,000 idle connections: ${cost.toFixed(1)} MiB over ${before.toFixed(1)} MiB`);
      expect(cost).toBeLessThan(20);
      const start = performance.now();
      expect((await request(`${program.url}/v2/`)).status).toBe(200);
      expect(performance.now() - start).toBeLessThan(500);
      for (const socket of sockets) socket.destroy();
    },
  );
});
describe('X-Request-Id', () => {
  it.each(['abc', 'A-b_c.9', 'x'.repeat(128)])('is taken over from a client, told and logged: %s', async (id) => {
    await using stage = await Stage.start();
    const reply = await stage.get('team/app/manifests/absent', { 'x-request-id': id });
    expect(reply.headers['x-request-id']).toBe(id);
    await until('it is logged', () => stage.mirror.log.includes('"msg":"request"'));
    const line = stage.mirror.log.split('\n').find((each) => each.includes('"msg":"request"'))!;
    expect(JSON.parse(line)).toMatchObject({
      id,
      status: 404,
      error: expect.stringMatching(/^MANIFEST_UNKNOWN: ./) as string,
    });
  });

  it.each(['a b', '{"level":60}', 'x'.repeat(129), 'a;b', 'a/b', '<script>', 'é', '"', '%0a', 'a,b'])(
    'is replaced when it is none: %s',
    async (id) => {
      await using mirror = await Mirror.start();
      const reply = await rawRequest(mirror.url, '/v2/', { headers: [`x-request-id: ${id}`] });
      expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
      const twice = await rawRequest(mirror.url, '/v2/', { headers: ['x-request-id: a', 'x-request-id: b'] });
      expect(twice.headers['x-request-id']).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
      expect(mirror.log).not.toContain(`"id":"${id}"`);
    },
  );

  it('is with every refusal, and each refusal is logged once with it and its reason', async () => {
    await using stage = await Stage.start({ server: { unknownNamespaces: 'deny' } });
    const refused: [target: string, method: string, error: RegExp][] = [
      ['/v2/registry.test/UPPER/manifests/1', 'GET', /^NAME_INVALID: /],
      ['/v2/registry.test/team/app/manifests/-x', 'GET', /^[A-Z_]+: /],
      ['/v2/registry.test/team/app/blobs/sha256:1', 'GET', /^DIGEST_INVALID: /],
      ['/v2/ghcr.test/team/app/manifests/1', 'GET', /^NAME_UNKNOWN: ghcr\.test is not mirrored here/],
      ['/v2/registry.test/team/app/manifests/1', 'PUT', /^UNSUPPORTED: /],
      ['/nowhere', 'GET', /^[A-Z_]+: /],
    ];
    for (const [index, [target, method, error]] of refused.entries()) {
      const reply = await rawRequest(stage.mirror.url, target, { method, headers: [`x-request-id: refusal-${index}`] });
      expect([reply.status >= 400, reply.headers['x-request-id']]).toEqual([true, `refusal-${index}`]);
      const lines = () => stage.mirror.log.split('\n').filter((line) => line.includes(`"refusal-${index}"`));
      await until('it is logged', () => lines().length > 0);
      expect(lines()).toHaveLength(1);
      expect(JSON.parse(lines()[0]!)).toMatchObject({
        status: reply.status,
        error: expect.stringMatching(error) as string,
      });
    }
  });
});

describe('an answer', () => {
  const html = '<html><script>alert(1)</script></html>';
  const hostile = {
    'content-type': 'text/html; charset=utf-8',
    'set-cookie': ['session=planted; HttpOnly', 'other=planted'],
    connection: 'keep-alive, x-hop',
    'keep-alive': 'timeout=1',
    'x-hop': 'planted',
    'proxy-authenticate': 'Basic realm="planted"',
    'www-authenticate': 'Basic realm="planted"',
    trailer: 'x-planted',
    upgrade: 'h2c',
    server: 'planted/1.0',
    'x-powered-by': 'planted',
    'strict-transport-security': 'planted',
    'access-control-allow-origin': '*',
    'content-disposition': 'inline; filename=planted.html',
    'content-security-policy': 'planted',
    'docker-upload-uuid': 'planted',
    location: 'https://planted.test/',
    refresh: '0;url=https://planted.test/',
    'alt-svc': 'h3="planted.test:443"',
  };
  const known = [
    'accept-ranges',
    'age',
    'allow',
    'cache-control',
    'connection',
    'content-length',
    'content-range',
    'content-type',
    'date',
    'docker-content-digest',
    'docker-distribution-api-version',
    'etag',
    'keep-alive',
    'link',
    'oci-filters-applied',
    'oci-namespace',
    'retry-after',
    'transfer-encoding',
    'x-cache',
    'x-content-type-options',
    'x-request-id',
  ];

  it.each([200, 401, 403, 404, 429, 500, 503])(
    'has nothing of the headers of a registry that says %i, and is never HTML',
    async (status) => {
      await using upstream = await ScriptedUpstream.start();
      const digest = digestOf(Buffer.from(html));
      upstream.on('*', /./, plain(status, html, hostile));
      // The page for browsers is ours, and looked at in its own tests.
      await using mirror = await Mirror.start({
        upstreams: [{ namespace: 'registry.test', host: upstream.host }],
        server: { statusPage: false },
      });
      const endpoints = ['manifests/1', `manifests/${digest}`, `blobs/${digest}`, 'tags/list', `referrers/${digest}`];
      const targets = [
        ...endpoints.map((endpoint) => `/v2/registry.test/team/app/${endpoint}`),
        '/v2/',
        '/',
        '/index.html',
        `/v2/registry.test/<b>/manifests/1`,
      ];
      for (const target of targets) {
        for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
          const reply = await rawRequest(mirror.url, target, {
            method,
            headers: ['accept: text/html', 'origin: https://planted.test'],
          });
          expect(Object.keys(reply.headers).filter((name) => !known.includes(name))).toEqual([]);
          expect(JSON.stringify(reply.headers)).not.toMatch(/planted|html|fastify|nest|express|node/i);
          expect(reply.headers['x-content-type-options']).toBe('nosniff');
          if (reply.status >= 400 && method !== 'HEAD') expect(reply.headers['content-type']).toBe('application/json');
          if (reply.body.includes(html)) expect(reply.headers['content-type']).toBe('application/octet-stream');
        }
      }
      expect((await rawRequest(mirror.url, `/v2/registry.test/team/app/blobs/${digest}`)).status).toBe(
        status === 500 ? 503 : status,
      );
    },
  );

  it('to what is no HTTP has no banner either', async () => {
    await using mirror = await Mirror.start();
    const socket = await dial(mirror.url);
    socket.end('<html>\r\n\r\n');
    const response = readResponse((await heard(socket)).said)!;
    expect(Object.keys(response.headers).filter((name) => !known.includes(name))).toEqual([]);
    expectError(response, 400, 'REQUEST_INVALID');
  });
});
