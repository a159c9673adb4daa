import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** A connection on which TLS has been agreed. */
export async function dialSecure(url: string, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ...options });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

/** A connection on which nothing has been said. */
export async function dialPlain(url: string): Promise<Socket> {
  const socket = connectPlain(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Everything a socket says until it is closed, and after how many milliseconds that was. */
export async function heard(socket: Socket): Promise<{ said: Buffer; after: number }> {
  const start = performance.now();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return { said: Buffer.concat(chunks), after: performance.now() - start };
}
