import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeBlob } from '../fixtures/images.js';
import { Stage } from './support/stage.js';
import { until } from './support/until.js';

const large = makeBlob(1_500_000, 'untaken');
const small = makeBlob(50_000, 'untaken');

/** Bytes that the kernel has for clients of a port, the clients of closed connections among them. */
async function unsentFrom(url: string): Promise<number> {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const table = await readFile('/proc/self/net/tcp', 'utf8');
  const queues = table.matchAll(new RegExp(`^ *\\d+: \\w+:${port} \\w+:\\w+ (?!0A)\\w\\w (\\w+):`, 'gm'));
  return [...queues].reduce((sum, [, bytes = '0']) => sum + parseInt(bytes, 16), 0);
}

async function start(clientTimeout: number): Promise<Stage> {
  const stage = await Stage.start({ server: { clientTimeout } });
  for (const blob of [large, small]) stage.registry.addBlob('app', blob);
  for (const { digest } of [large, small])
    for (let time = 0; time < 2; time += 1) await stage.get(`app/blobs/${digest}`);
  await stage.mirror.settled();
  return stage;
}

/** A client that takes nothing of its responses. */
async function ask({ mirror: { url } }: Stage, { digest }: typeof large, count = 1): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET /v2/registry.test/app/blobs/${digest} HTTP/1.1\r\nhost: m\r\n\r\n`.repeat(count));
  return socket;
}

const serverOf = ({ mirror }: Stage): Server => mirror.app.getHttpServer();
const connectionsOf = (stage: Stage) =>
  new Promise<number>((resolve) => serverOf(stage).getConnections((_, count) => resolve(count)));

describe.skipIf(process.platform !== 'linux')(
  'a response that Node has sent, and the client has not taken',
  { concurrent: true },
  () => {
    it('is dropped when nothing of it was taken for --client-timeout', async () => {
      await using stage = await start(500);
      const socket = await ask(stage, large);
      await until('all of it is in the kernel', async () => (await unsentFrom(stage.mirror.url)) > 500_000);
      await until('it is gone', async () => (await unsentFrom(stage.mirror.url)) === 0, 10_000);
      expect(await connectionsOf(stage)).toBe(0);
      socket.destroy();
    });

    it.each([
      ['one', large, 1],
      ['many small ones', small, 20],
    ])('is dropped when the connection has been idle for too long: %s', async (_, blob, count) => {
      await using stage = await start(500);
      serverOf(stage).keepAliveTimeout = 1;
      const socket = await ask(stage, blob, count);
      await until('all of it is in the kernel', async () => (await unsentFrom(stage.mirror.url)) > 100_000);
      await until('it is gone', async () => (await unsentFrom(stage.mirror.url)) === 0, 10_000);
      expect(await connectionsOf(stage)).toBe(0);
      socket.destroy();
    });

    it('stays while the client takes some of it now and then, and until the end of an idle connection', async () => {
      await using stage = await start(2_000);
      serverOf(stage).keepAliveTimeout = 1;
      const socket = await ask(stage, large);
      let taken = 0;
      const ended = once(socket, 'end');
      // In some six seconds.
      while (taken < large.body.length && !socket.destroyed) {
        taken += ((socket.read(64 * 1024) ?? socket.read()) as Buffer | null)?.length ?? 0;
        await sleep(250);
      }
      socket.resume();
      // Otherwise than by a reset.
      await ended;
    });
  },
);
