import { createServer, request as ask, Agent } from 'node:http';
import { pipeline } from 'node:stream';
import { Listener } from '../../fakes/listener.js';

/** Gives each request, not each connection, to the next replica: the requests of one upload go to all of them in turn. */
export class RequestBalancer implements AsyncDisposable {
  private turn = 0;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly listener: Listener;

  private constructor(replicas: readonly string[]) {
    this.listener = new Listener(() =>
      createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
        const replica = new URL(replicas[(this.turn += 1) % replicas.length]!);
        const { method, url, headers } = request;
        const options = { host: replica.hostname, port: replica.port, method, path: url, headers, agent: this.agent };
        const forwarded = ask(options, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          pipeline(answer, response, () => undefined);
        });
        forwarded.on('error', () => response.destroy());
        pipeline(request, forwarded, () => undefined);
      }),
    );
  }

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
}
