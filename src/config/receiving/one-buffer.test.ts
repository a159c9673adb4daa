import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/fixtures/certificate.js';
import { receiveIntoOneBuffer } from './one-buffer.js';

const pair = makeCertificate();
const kinds = {
  http: { server: () => http.createServer(), client: http, agent: () => receiveIntoOneBuffer(new http.Agent()) },
  https: {
    server: () => https.createServer(pair),
    client: https,
    agent: () => receiveIntoOneBuffer(new https.Agent({ ca: pair.cert, keepAlive: true })),
  },
};

/** Answers every request with a body of its own of 3 MB. */
async function serve(kind: keyof typeof kinds) {
  const server = kinds[kind].server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bodies: Buffer[] = [];
  server.on('request', (_, response) => {
    const body = randomBytes(3_000_000);
    bodies.push(body);
    response.end(body);
  });
  const agent = kinds[kind].agent();
  const url = `${kind}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const get = async () => {
    const [body] = (await once(kinds[kind].client.get(url, { agent }), 'response')) as [IncomingMessage];
    return body;
  };
  const close = () => {
    agent.destroy();
    server.close();
    server.closeAllConnections();
  };
  return { get, bodies, [Symbol.dispose]: close };
}

const sum = (chunks: readonly Buffer[]) => chunks.reduce((hash, chunk) => hash.update(chunk), createHash('sha256'));

describe.each(['http', 'https'] as const)('a body over %s', (kind) => {
  it('keeps its bytes while those of others arrive in the same buffer', async () => {
    using upstream = await serve(kind);
    const pull = async () => {
      const chunks: Buffer[] = [];
      // Kept, not copied: what is read later must not change them.
      for await (const chunk of await upstream.get()) chunks.push(chunk as Buffer);
      return sum(chunks).digest('hex');
    };
    const pulled = await Promise.all(Array.from({ length: 8 }, pull));
    pulled.push(await pull());
    expect(pulled.sort()).toEqual(upstream.bodies.map((body) => sum([body]).digest('hex')).sort());
  });

  it('arrives in one buffer', async () => {
    using upstream = await serve(kind);
    const buffers = new Set<ArrayBufferLike>();
    const body = await upstream.get();
    body.socket.on('data', (chunk: Buffer) => buffers.add(chunk.buffer));
    body.resume();
    await once(body, 'end');
    expect(buffers.size).toBe(1);
  });

  it('waits in the kernel for who does not read it', async () => {
    using upstream = await serve(kind);
    const body = await upstream.get();
    body.once('data', () => body.pause());
    await sleep(200);
    expect(body.readableLength).toBeLessThan(300_000);
    let size = 0;
    body.on('data', (chunk: Buffer) => (size += chunk.length));
    body.resume();
    await once(body, 'end');
    expect(size).toBeLessThan(3_000_000);
    expect(body.complete).toBe(true);
  });

  it('ends early when its connection does', async () => {
    using upstream = await serve(kind);
    const body = await upstream.get();
    const failed = once(body, 'error');
    body.once('data', () => body.socket.destroy());
    expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(body.complete).toBe(false);
  });
});
