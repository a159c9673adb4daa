import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A server on a loopback address that can go away and come back on the same port, and knows its open sockets. */
export class Listener {
  readonly sockets = new Set<Socket>();
  /** Connections accepted since the first start. */
  connections = 0;
  #server: Server | undefined;

  #port: number;

  /** @param create makes a fresh server for every start: an `http`, `https` or `net` one. @param port 0 for a free one */
  constructor(
    private readonly create: () => Server,
    private readonly address = '127.0.0.1',
    port = 0,
  ) {
    this.#port = port;
  }

  /** Known after the first start, the same for ever after. */
  get port(): number {
    return this.#port;
  }

  get host(): string {
    return `${this.address}:${this.#port}`;
  }

  async start(): Promise<void> {
    if (this.#server) return;
    const server = this.create();
    server.on('connection', (socket: Socket) => this.#track(socket));
    server.listen(this.#port, this.address);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Refuses new connections and drops the open ones: with RST, as a machine that lost power and came back, when asked. */
  async stop({ reset = false } = {}): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    // A server may report its end a moment before its last sockets report theirs.
    const gone = [...this.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.sockets) {
      if (reset) socket.resetAndDestroy();
      else socket.destroy();
    }
    await Promise.all([closed, ...gone]);
  }

  #track(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
