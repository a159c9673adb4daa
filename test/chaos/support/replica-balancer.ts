import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { Listener } from '../../fakes/listener.js';

/** Milliseconds for which a replica that refuses connections is waited for. */
const patience = 20_000;

/** Of a response in place of one that a replica did not give. */
export const lostStatus = 502;

/**
 * A balancer of requests without stickiness: each request goes to the next replica that takes a connection. A request whose
 * replica dies is answered 502 and sent to no other, as it may have been carried out.
 */
export class ReplicaBalancer implements AsyncDisposable {
  /** Requests that a replica took, and those that it did not respond to. */
  readonly counts = { requests: 0, lost: 0 };
  private turn = 0;
  private readonly listener = new Listener(() =>
    createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
      void this.forward(request, response).catch(() => response.destroy());
    }),
  );

  private constructor(private readonly replicas: readonly string[]) {}

  static async start(replicas: readonly string[]): Promise<ReplicaBalancer> {
    const balancer = new ReplicaBalancer(replicas);
    await balancer.listener.start();
    return balancer;
  }

  get url(): string {
    return `http://${this.listener.host}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.listener.stop();
  }

  private async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = await this.connect();
    this.counts.requests += 1;
    const { method, url: path, headers } = request;
    const forwarded = httpRequest({ method, path, headers, createConnection: () => socket }, (received) => {
      response.writeHead(received.statusCode!, { ...received.headers, connection: 'keep-alive' });
      pipeline(received, response, () => socket.destroy());
    });
    forwarded.on('error', () => {
      this.counts.lost += 1;
      request.unpipe(forwarded).resume();
      if (response.headersSent) response.destroy();
      else response.writeHead(lostStatus, { 'content-length': 0 }).end();
    });
    request.once('close', () => {
      if (!request.complete) socket.destroy();
    });
    request.pipe(forwarded);
  }

  private async connect(): Promise<Socket> {
    for (const end = performance.now() + patience; performance.now() < end;) {
      const { hostname, port } = new URL(this.replicas[(this.turn += 1) % this.replicas.length]!);
      const socket = await connected(hostname, Number(port));
      if (socket) return socket;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('no replica takes connections');
  }
}

function connected(host: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
