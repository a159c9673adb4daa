import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { OrderedRequests } from './ordered.requests.js';

/** Sends requests in one packet. @returns the paths that were handled, and everything that was received */
async function pipeline(
  requests: readonly string[],
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ handled: string[]; received: string }> {
  const handled: string[] = [];
  const server = createServer((request, response) => {
    handled.push(request.url ?? '');
    handle(request, response);
  });
  new OrderedRequests(5_000).handle(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.write(requests.map((path) => `GET ${path} HTTP/1.1\r\nhost: m\r\n\r\n`).join(''));
  await once(socket, 'close');
  server.close();
  await once(server, 'close');
  return { handled, received };
}

it('handles no pipelined request behind a response that ends the connection', async () => {
  const { handled, received } = await pipeline(['/1', '/2', '/3', '/4'], ({ url }, response) => {
    if (url === '/2') response.setHeader('connection', 'close');
    setImmediate(() => response.end(url));
  });
  expect(handled).toEqual(['/1', '/2']);
  expect(received.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(received).toMatch(/\/2$/);
});

it('handles pipelined requests one at a time and in order', async () => {
  let running = 0;
  const { handled, received } = await pipeline(['/1', '/2', '/3'], ({ url }, response) => {
    running += 1;
    expect(running).toBe(1);
    if (url === '/3') response.setHeader('connection', 'close');
    setTimeout(() => {
      running -= 1;
      response.end(url);
    }, 10);
  });
  expect(handled).toEqual(['/1', '/2', '/3']);
  expect(received.match(/\/\d(?=HTTP|$)/g)).toEqual(['/1', '/2', '/3']);
});
