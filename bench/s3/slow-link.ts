import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../scope.js';

/** Starts a way to a server on this machine on which all connections together send so many bytes a second; its answers are
 * not slowed. @returns the address to use in its place */
export async function slowLink(scope: Scope, target: URL, bytesPerSecond: number): Promise<URL> {
  const sockets = new Set<Socket>();
  const turn = pacer(bytesPerSecond);
  const link = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    // One side that breaks ends the other, as without a link between them.
    pipeline(client, turn, server).catch(() => client.destroy());
    pipeline(server, client).catch(() => server.destroy());
  }).listen(0, '127.0.0.1');
  await scope.defer(() => {
    link.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(link, 'listening');
  return new URL(`http://127.0.0.1:${(link.address() as AddressInfo).port}`);
}

/** Lets chunks pass one after the other, whoever's they are, as fast as the rate allows. */
function pacer(bytesPerSecond: number): (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  let free = 0;
  return async function* (chunks) {
    for await (const chunk of chunks) {
      const now = performance.now();
      const due = Math.max(now, free);
      free = due + (chunk.length / bytesPerSecond) * 1000;
      // Timers are no finer than a millisecond; what they are late the next chunks catch up on.
      if (due - now > 2) await sleep(due - now);
      yield chunk;
    }
  };
}
