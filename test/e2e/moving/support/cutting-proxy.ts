import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Passes connections on, and cuts or stalls the first ones that send more than so many bytes in a direction. */
export class CuttingProxy implements AsyncDisposable {
  cut = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** @param times that a connection is cut. @param after bytes that it has sent, or been sent. */
  static async start(target: string, times: number, after: number, isStalling = false): Promise<CuttingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on('connection', (client) => {
      const upstream = connect(Number(port), hostname);
      const end = () => {
        client.destroy();
        upstream.destroy();
      };
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        let count = 0;
        proxy.sockets.add(from);
        from.on('data', (chunk: Buffer) => {
          count += chunk.length;
          if (count > after && proxy.cut < times) {
            proxy.cut += 1;
            if (isStalling) from.unpipe(to).pause();
            else end();
          }
        });
        from.pipe(to);
        from.once('error', end).once('close', end);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
