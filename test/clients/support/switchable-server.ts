import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { listen } from './http.js';

/**
 * An HTTP server that can go down and come back on its port. While it is down every connection is reset at once, as by
 * a dead machine, and counted, so that a test can tell "did not ask" from "asked in vain".
 */
export class SwitchableServer {
  /** Connections that were tried while the server was down. */
  knocks = 0;
  private current: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(private readonly handler: http.RequestListener) {
    this.current = http.createServer(handler);
  }

  static async start(handler: http.RequestListener): Promise<SwitchableServer> {
    const server = new SwitchableServer(handler);
    await server.serve(server.current, 0);
    return server;
  }

  get port(): number {
    return (this.current.address() as AddressInfo).port;
  }

  async goDown(): Promise<void> {
    const port = this.port;
    await this.close();
    const tombstone = net.createServer((socket) => {
      this.knocks += 1;
      socket.resetAndDestroy();
    });
    await this.serve(tombstone, port);
  }

  async comeBack(): Promise<void> {
    const port = this.port;
    await this.close();
    await this.serve(http.createServer(this.handler), port);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.current.close(resolve));
    this.sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  private async serve(server: net.Server, port: number): Promise<void> {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    await listen(server, port);
    this.current = server;
  }
}
