import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChunkSink } from '../../../storage.provider.js';
import { RequestBody } from './request-body.js';

/** Takes bodies: whole ones, or none of `/deaf`, and leaves in the middle of those of `/cut`. */
const server = createServer((incoming, response) => {
  if (incoming.url === '/cut') incoming.once('data', () => incoming.destroy());
  else if (incoming.url !== '/deaf') void buffer(incoming).then((body) => response.end(body));
});

beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => server.closeAllConnections());

function put(path: string, length: number) {
  const { port } = server.address() as AddressInfo;
  const outgoing = request({ port, path, method: 'PUT', headers: { 'content-length': length }, agent: false });
  // What becomes of it is seen by its body.
  outgoing.on('error', () => undefined);
  return outgoing;
}

/** Copies `count` chunks from one buffer, and tells how it ended. */
function copying(count: number, size: number) {
  const chunk = Buffer.alloc(size);
  let ended: (outcome: unknown) => void;
  const outcome = new Promise<unknown>((resolve) => (ended = resolve));
  const copy = async (sink: ChunkSink, signal: AbortSignal) => {
    try {
      for (let index = 0; index < count; index += 1) await sink(chunk.fill(index));
      ended({ aborted: signal.aborted });
    } catch (error) {
      ended({ aborted: signal.aborted });
      throw error;
    }
  };
  return { copy, outcome };
}

describe('RequestBody', () => {
  it('waits for each chunk until its buffer may be used again', async () => {
    const { copy } = copying(50, 100_000);
    const outgoing = put('/', 50 * 100_000);
    new RequestBody(copy).pipe(outgoing);
    const [response] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
    const body = await buffer(response);
    expect(body).toHaveLength(50 * 100_000);
    for (let index = 0; index < 50; index += 1) expect(body[index * 100_000 + 99_999]).toBe(index);
  });

  it('stops copying when the other side has left', async () => {
    const { copy, outcome } = copying(10_000, 100_000);
    const body = new RequestBody(copy);
    body.pipe(put('/cut', 10_000 * 100_000)).on('error', () => undefined);
    await once(body, 'close');
    expect(await outcome).toEqual({ aborted: true });
  });

  it('stops copying when the body is destroyed while the receiver reads nothing', async () => {
    const { copy, outcome } = copying(10_000, 100_000);
    const body = new RequestBody(copy);
    const outgoing = body.pipe(put('/deaf', 10_000 * 100_000));
    await once(outgoing, 'socket');
    body.destroy();
    expect(await outcome).toEqual({ aborted: true });
    outgoing.destroy();
  });

  it('gives up what waits for a connection when the request is destroyed', async () => {
    const { copy, outcome } = copying(1, 10);
    const body = new RequestBody(copy);
    body.pipe(put('/', 10)).destroy();
    expect(await outcome).toEqual({ aborted: true });
    expect(body.destroyed).toBe(true);
  });

  it('fails with what the copy failed with', async () => {
    const body = new RequestBody(() => Promise.reject(new Error('the disk is gone')));
    const outgoing = body.pipe(put('/', 10));
    const [error] = (await once(body, 'error')) as [Error];
    expect(error.message).toBe('the disk is gone');
    outgoing.destroy();
  });
});
