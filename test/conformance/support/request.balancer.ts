import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { Listener } from '../../fakes/listener.js';

/** Gives each request, not each connection, to the next replica, so that the requests of one upload go to all of them. */
export class RequestBalancer implements AsyncDisposable {
  private requests = 0;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly listener = new Listener(() =>
    createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) =>
      this.forward(request, response),
    ),
  );

  private constructor(private readonly replicas: readonly string[]) {}

  static async start(replicas: readonly string[]): Promise<RequestBalancer> {
    const balancer = new RequestBalancer(replicas);
    await balancer.listener.start();
    return balancer;
  }

  get url(): string {
    return `http://${this.listener.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    await this.listener.stop();
  }

  private forward(request: IncomingMessage, response: ServerResponse): void {
    const { hostname: host, port } = new URL(this.replicas[this.requests % this.replicas.length]!);
    this.requests += 1;
    const { method, url: path, headers } = request;
    const forwarded = httpRequest({ host, port, method, path, headers, agent: this.agent }, (received) => {
      response.writeHead(received.statusCode!, received.headers);
      pipeline(received, response, () => {
        if (request.readableEnded) return;
        // A refusal came before the end of the body. Node's client emits no `drain` after the response, so that a pipe
        // would stall, and with it the client, until the connection times out.
        request.unpipe(forwarded).resume();
        forwarded.destroy();
      });
    });
    forwarded.on('error', () => response.destroy());
    request.once('close', () => {
      if (!request.complete) forwarded.destroy();
    });
    request.pipe(forwarded);
  }
}
