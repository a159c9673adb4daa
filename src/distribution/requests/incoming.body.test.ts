import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { IncomingBody } from './incoming.body.js';

const size = 4 * 1024 * 1024;
const content = Buffer.alloc(size, 'content ');

interface Received {
  readonly hash: string;
  /** Bytes of chunks that were still in memory when the next had been requested. */
  readonly kept: number;
}

/** Sends the content to a server that reads it as a body. */
async function receive(isStreamed: boolean): Promise<Received> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const sending = request({ host: '127.0.0.1', port, method: 'PUT', headers: { 'content-length': size } });
    sending.end(content);
    const [incoming, response] = (await once(server, 'request')) as ConstructorParameters<typeof IncomingBody>;
    const body = new IncomingBody(incoming, response, 10_000, () => undefined);
    if (isStreamed) body.stream();
    const [hash, chunks] = [createHash('sha256'), [] as Uint8Array[]];
    for await (const chunk of body.chunks()) {
      hash.update(chunk);
      chunks.push(chunk);
    }
    const responded = once(sending, 'response') as Promise<[{ resume(): void }]>;
    response.end();
    (await responded)[0].resume();
    return { hash: hash.digest('hex'), kept: chunks.reduce((sum, { length }) => sum + length, 0) };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const hash = createHash('sha256').update(content).digest('hex');

it('frees each chunk of an upload when the next is requested', async () => {
  expect(await receive(true)).toEqual({ hash, kept: 0 });
});

it('leaves the chunks of other bodies to those who collect them', async () => {
  expect(await receive(false)).toEqual({ hash, kept: size });
});
