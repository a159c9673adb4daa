import { createServer, get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { randomBytes } from 'node:crypto';
import { ResponseSink } from '../responses/response.sink.js';
import { SendQueues } from './send.queues.js';
import { connectionKey, readSocketTable } from './socket.table.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Queues of connections whose kernel is a table. */
function connections(count: number, budget: number) {
  const table = new Map<string, number>();
  const state = { isReadable: true };
  const queues = new SendQueues(budget, () => Promise.resolve(state.isReadable ? table : undefined));
  const opened = Array.from({ length: count }, (_, index) => {
    const socket = { localAddress: '10.0.0.1', localPort: 80, remoteAddress: '10.0.0.2', remotePort: 1_000 + index };
    const key = connectionKey(socket)!;
    table.set(key, 0);
    const queue = queues.enter(socket);
    return {
      queue,
      /** Waits for room with a chunk of 64 KiB. */
      room: (progress = () => undefined) => queue.room(64 * kibibyte, progress),
      /** Writes until the queue has no room. @returns how much that was */
      fill: (most = 64 * mebibyte) => {
        let bytes = 0;
        for (; queue.room(64 * kibibyte, () => undefined) === undefined && bytes < most; bytes += 64 * kibibyte)
          queue.wrote(64 * kibibyte);
        table.set(key, table.get(key)! + bytes);
        return bytes;
      },
      take: (bytes: number) => table.set(key, Math.max(0, table.get(key)! - bytes)),
    };
  });
  return { queues, opened, state };
}

describe('SendQueues', () => {
  afterEach(() => vi.useRealTimers());

  it('limits nobody while there are few', () => {
    const { opened } = connections(16, 64 * mebibyte);
    expect(opened.map(({ fill }) => fill())).toEqual(opened.map(() => 64 * mebibyte));
  });

  it('gives each of many slow clients its share, and a fast one all it takes', async () => {
    vi.useFakeTimers();
    const { queues, opened } = connections(128, 64 * mebibyte);
    const [fast, ...slow] = opened;
    for (const each of slow) expect(each.fill()).toBe(512 * kibibyte);
    for (const step of [512 * kibibyte, 2 * mebibyte]) {
      expect(fast!.fill()).toBe(step);
      fast!.take(step);
      const room = fast!.room()!;
      await vi.advanceTimersByTimeAsync(60);
      await room;
    }
    expect(fast!.fill()).toBe(64 * mebibyte);
    for (const each of slow) expect(each.fill()).toBe(0);
    // It is limited again when it takes nothing more.
    await vi.advanceTimersByTimeAsync(300);
    expect(fast!.fill()).toBe(0);
    for (const { queue } of opened) queues.leave(queue);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('continues when half of the share has been taken, or some of it in five seconds', async () => {
    vi.useFakeTimers();
    const { queues, opened } = connections(128, 64 * mebibyte);
    for (const each of opened) each.fill();
    const [half, some, none] = opened;
    const resumed: string[] = [];
    for (const [name, { room }] of Object.entries({ half: half!, some: some!, none: none! })) {
      void room()?.then(() => resumed.push(name));
    }
    half!.take(260 * kibibyte);
    some!.take(20 * kibibyte);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(resumed).toEqual(['half']);
    expect(half!.fill()).toBe(320 * kibibyte);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(resumed).toEqual(['half', 'some']);
    queues.leave(none!.queue);
    await vi.advanceTimersByTimeAsync(1);
    expect(resumed).toContain('none');
    for (const { queue } of opened) queues.leave(queue);
  });

  it('does not continue for a client that has taken nothing, however much room others leave', async () => {
    vi.useFakeTimers();
    const { queues, opened } = connections(128, 64 * mebibyte);
    for (const each of opened) each.fill();
    const [first, ...others] = opened;
    let isResumed = false;
    const resumed = first!.room()!.then(() => (isResumed = true));
    for (const { queue } of others.slice(20)) queues.leave(queue);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(isResumed).toBe(false);
    first!.take(20 * kibibyte);
    await vi.advanceTimersByTimeAsync(1_000);
    await resumed;
    for (const { queue } of opened) queues.leave(queue);
  });

  it('tells of a client that takes, if slowly, what was too much for it', async () => {
    vi.useFakeTimers();
    const { queues, opened } = connections(17, 64 * mebibyte);
    const [first, ...others] = opened;
    for (const { queue } of others) queues.leave(queue);
    first!.fill(4 * mebibyte);
    for (const { queue } of others) queues.enter(queue.socket);
    const progress = vi.fn();
    void first!.room(progress);
    for (let kibibytes = 0; kibibytes <= 1_024; kibibytes += 16) {
      first!.take(16 * kibibyte);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(progress.mock.calls.length).toBe(16);
    for (const { queue } of opened) queues.leave(queue);
  });

  it('lets everybody continue when few are left, or when the system tells nothing', async () => {
    vi.useFakeTimers();
    for (const ending of ['few', 'blind']) {
      const { queues, opened, state } = connections(17, 64 * mebibyte);
      const [first, ...others] = opened;
      first!.fill();
      const room = first!.room()!;
      if (ending === 'few') for (const { queue } of others) queues.leave(queue);
      else state.isReadable = false;
      await vi.advanceTimersByTimeAsync(60);
      await room;
      expect(first!.fill()).toBe(64 * mebibyte);
    }
  });

  it.skipIf(process.platform !== 'linux')(
    'bounds what the kernel has for clients who do not read, delays nobody else, and loses no byte',
    async () => {
      const content = randomBytes(6 * mebibyte);
      const queues = new SendQueues(16 * mebibyte);
      const sockets: Socket[] = [];
      const server = createServer(({ socket }, response) => {
        sockets.push(socket);
        const queue = queues.enter(socket);
        const sink = new ResponseSink(response, 60_000, queue);
        const send = async () => {
          for (let at = 0; at < content.length; at += 256 * kibibyte) {
            await sink.write(content.subarray(at, at + 256 * kibibyte));
          }
          response.end();
        };
        const end = () => {
          sink.close();
          queues.leave(queue);
        };
        // Most of the clients leave.
        send().then(end, end);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const request = async (): Promise<IncomingMessage> => {
        const { port } = server.address() as AddressInfo;
        const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [
          IncomingMessage,
        ];
        return response;
      };
      const read = async (response: IncomingMessage) =>
        expect(content.equals(Buffer.concat(await response.toArray()))).toBe(true);
      const slow = await Promise.all(Array.from({ length: 24 }, request));
      await delay(500);
      const table = (await readSocketTable())!;
      const unsent = sockets.map((socket) => table.get(connectionKey(socket)!) ?? 0);
      // It would be 60 to 94 MiB. Those that came before they were many, or with a large buffer, have more than their share.
      expect(unsent.reduce((sum, bytes) => sum + bytes)).toBeLessThan(48 * mebibyte);
      await read(await request());
      await Promise.all(slow.slice(0, 6).map(read));
      for (const response of slow) response.destroy();
      server.close();
    },
  );
});
