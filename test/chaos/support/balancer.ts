import net, { type Socket } from 'node:net';
import { Listener } from '../../fakes/listener.js';
import { request } from '../../fakes/request.js';

/** Milliseconds between two questions to `/readyz`, and how long an answer may take. */
const interval = 100;
const patience = 2_000;
/** Connections that wait for a replica to become ready. */
const maxQueue = 1_000;

class Backend {
  isReady = false;
  /** Connections that it was given. */
  given = 0;
  /** How often it was taken out. */
  leavings = 0;

  constructor(readonly url: URL) {}
}

/**
 * A balancer of connections, as kube-proxy or HAProxy in TCP mode is one: knows nothing of HTTP but `/readyz`, gives each
 * connection to the next replica that is ready, leaves those that run alone, and tries nothing twice. While no replica
 * is ready connections wait, as they do at a socket that outlives its process.
 */
export class Balancer implements AsyncDisposable {
  readonly backends: readonly Backend[];
  private readonly listener = new Listener(() =>
    net.createServer({ allowHalfOpen: true }, (socket) => this.take(socket)),
  );
  private readonly queue = new Set<Socket>();
  private readonly stopped = new AbortController();
  private polls: Promise<void>[] = [];
  private turn = 0;

  private constructor(urls: readonly string[]) {
    this.backends = urls.map((url) => new Backend(new URL(url)));
  }

  static async start(urls: readonly string[]): Promise<Balancer> {
    const balancer = new Balancer(urls);
    await balancer.listener.start();
    balancer.polls = balancer.backends.map((backend) => balancer.watch(backend));
    return balancer;
  }

  get url(): string {
    return `http://${this.listener.host}`;
  }

  private async watch(backend: Backend): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
      const reply = await request(`${backend.url.origin}/readyz`, { signal: limit }).catch(() => undefined);
      const isReady = reply?.status === 200;
      if (backend.isReady && !isReady) backend.leavings += 1;
      backend.isReady = isReady;
      if (isReady) for (const socket of this.queue) this.take(socket);
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  }

  private take(client: Socket): void {
    this.queue.delete(client);
    const ready = this.backends.filter(({ isReady }) => isReady);
    const backend = ready[(this.turn += 1) % ready.length];
    if (backend) this.join(client, backend);
    else if (this.queue.size < maxQueue) this.wait(client);
    else client.destroy();
  }

  private wait(client: Socket): void {
    this.queue.add(client);
    client.on('error', () => undefined);
    client.once('close', () => this.queue.delete(client));
  }

  private join(client: Socket, backend: Backend): void {
    backend.given += 1;
    const { hostname, port } = backend.url;
    const server = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.pipe(to);
      // What breaks on one side breaks on the other.
      from.on('error', () => to.resetAndDestroy());
      from.once('close', () => to.destroySoon());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.polls);
    await this.listener.stop();
  }
}
