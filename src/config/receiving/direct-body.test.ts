import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/fixtures/certificate.js';
import { takeDirectly, type ChunkTaker } from './direct-body.js';
import { receiveIntoOneBuffer } from './one-buffer.js';

const pair = makeCertificate();
const whole = randomBytes(3_000_000);
const kinds = {
  http: {
    server: () => http.createServer(),
    client: http,
    agent: () => receiveIntoOneBuffer(new http.Agent({ keepAlive: true, maxSockets: 1 })),
  },
  https: {
    server: () => https.createServer(pair),
    client: https,
    agent: () => receiveIntoOneBuffer(new https.Agent({ ca: pair.cert, keepAlive: true, maxSockets: 1 })),
  },
};
const sendAll = (response: ServerResponse) => response.setHeader('content-length', whole.length).end(whole);

/** A server, and a client that keeps one connection. */
async function serve(kind: keyof typeof kinds, send: (response: ServerResponse) => void = sendAll) {
  const server = kinds[kind].server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connections = new Set<Socket>();
  server.on('request', (request, response) => {
    connections.add(request.socket);
    send(response);
  });
  const agent = kinds[kind].agent();
  const url = `${kind}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const get = async () => {
    const [body] = (await once(kinds[kind].client.get(url, { agent }), 'response')) as [IncomingMessage];
    body.on('error', () => undefined);
    return body;
  };
  const close = () => {
    agent.destroy();
    server.close();
    server.closeAllConnections();
  };
  return { get, connections, [Symbol.dispose]: close };
}

/** Hashes what it takes, and waits as long as `pause` says. */
function taker(pause: () => Promise<void> | undefined = () => undefined) {
  const hash = createHash('sha256');
  const taken = { bytes: 0, isWaiting: false, overlaps: 0 };
  const take: ChunkTaker = (chunk) => {
    if (taken.isWaiting) taken.overlaps += 1;
    hash.update(chunk);
    taken.bytes += chunk.length;
    const waiting = pause();
    if (!waiting) return undefined;
    taken.isWaiting = true;
    return waiting.finally(() => (taken.isWaiting = false));
  };
  return { take, taken, digest: () => hash.digest('hex') };
}
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.each(['http', 'https'] as const)('a body that is taken directly over %s', (kind) => {
  it.each([
    ['without a wait', () => undefined],
    ['with a wait for each chunk', () => sleep(1)],
    ['with a wait that takes no time', () => Promise.resolve()],
  ])('is complete %s, and its connection serves the next request', async (_, pause) => {
    using upstream = await serve(kind);
    for (let pull = 0; pull < 3; pull += 1) {
      const { take, taken, digest } = taker(pause);
      const body = await upstream.get();
      expect(await takeDirectly(body, take)).toBe(true);
      expect([taken.bytes, taken.overlaps, digest()]).toEqual([whole.length, 0, digestOf(whole)]);
    }
    // A stream over the same connection has its bytes again.
    const chunks: Buffer[] = [];
    for await (const chunk of await upstream.get()) chunks.push(chunk as Buffer);
    expect(digestOf(Buffer.concat(chunks))).toBe(digestOf(whole));
    expect(upstream.connections.size).toBe(1);
  });

  it('never passes through the stream before its end', async () => {
    using upstream = await serve(kind);
    const body = await upstream.get();
    const { take, taken } = taker();
    const taking = takeDirectly(body, take);
    let streamed = 0;
    body.on('data', (chunk: Buffer) => (streamed += chunk.length));
    expect(await taking).toBe(true);
    expect(taken.bytes).toBe(whole.length);
    // The last chunk ends the message.
    expect(streamed).toBeLessThanOrEqual(256 * 1024);
  });

  it('is received no further while its taker waits', async () => {
    using upstream = await serve(kind);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { take, taken } = taker(() => gate);
    const body = await upstream.get();
    const taking = takeDirectly(body, take);
    await sleep(200);
    const before = taken.bytes;
    expect(before).toBeLessThan(whole.length);
    const { bytesRead } = body.socket;
    await sleep(50);
    expect(body.socket.bytesRead).toBe(bytesRead);
    open();
    expect(await taking).toBe(true);
    expect([taken.bytes, taken.overlaps]).toEqual([whole.length, 0]);
  });

  it('is incomplete when its connection is cut, and has what came before', async () => {
    const cut = (response: ServerResponse) => {
      response.setHeader('content-length', whole.length);
      response.write(whole.subarray(0, 1_000_000), () => setTimeout(() => response.socket?.destroySoon(), 50));
    };
    using upstream = await serve(kind, cut);
    const { take, taken, digest } = taker(() => sleep(1));
    expect(await takeDirectly(await upstream.get(), take)).toBe(false);
    expect([taken.bytes, digest()]).toEqual([1_000_000, digestOf(whole.subarray(0, 1_000_000))]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('full'))],
  ])('ends with the failure when its taker %s', async (_, fail) => {
    using upstream = await serve(kind);
    const body = await upstream.get();
    await expect(takeDirectly(body, fail)).rejects.toThrow('full');
    expect([body.destroyed, body.socket.destroyed]).toEqual([true, true]);
  });

  it('is left to the stream when its length is not stated', async () => {
    using upstream = await serve(kind, (response) => void response.write(whole, () => response.end()));
    const body = await upstream.get();
    expect(takeDirectly(body, taker().take)).toBeUndefined();
    let size = 0;
    for await (const chunk of body) size += (chunk as Buffer).length;
    expect(size).toBeGreaterThanOrEqual(whole.length);
  });

  it('is left to the stream once that has been read', async () => {
    using upstream = await serve(kind);
    const body = await upstream.get();
    await once(body, 'readable');
    expect(body.read(1)).toHaveLength(1);
    expect(takeDirectly(body, taker().take)).toBeUndefined();
    body.destroy();
  });
});

it('a body of another agent is left to the stream', async () => {
  const server = http.createServer((_, response) => void sendAll(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = http.get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const [body] = (await once(request, 'response')) as [IncomingMessage];
  expect(takeDirectly(body, taker().take)).toBeUndefined();
  body.destroy();
  server.close();
});
