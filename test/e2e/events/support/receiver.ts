import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { Listener } from '../../../fakes/listener.js';
import { until } from '../../support/until.js';

/** A request that the receiver got, and when, in milliseconds. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
}

/** What it answers: a status, or something that receivers should not do. */
export type Answer =
  | number
  | 'hang'
  | 'close'
  | 'huge'
  | { readonly status: number; readonly headers?: http.OutgoingHttpHeaders; readonly after?: number };

/** One event of an envelope, as far as tests look at it. */
export interface SentEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly target: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, string>>;
  readonly actor: { readonly name?: string };
  readonly source: { readonly addr: string; readonly instanceID: string };
}

/** A receiver of webhooks that does what a test says. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** Decides about each request; `count` is how many came before it. */
  answer: (request: Received, count: number) => Answer = () => 200;
  /** Requests at one time, at most. */
  mostAtOnce = 0;
  private atOnce = 0;
  private readonly listener: Listener;

  private constructor(private readonly tls?: https.ServerOptions) {
    const serve: http.RequestListener = (request, response) => void this.serve(request, response);
    this.listener = new Listener(() => (tls ? https.createServer(tls, serve) : http.createServer(serve)));
  }

  static async start(tls?: https.ServerOptions): Promise<Receiver> {
    const receiver = new Receiver(tls);
    await receiver.listener.start();
    return receiver;
  }

  get url(): string {
    return `http${this.tls ? 's' : ''}://${this.listener.host}/hook`;
  }

  /** The events of all envelopes, in the order of their arrival. */
  get events(): SentEvent[] {
    return this.received.map(({ body }) => (JSON.parse(body) as { events: [SentEvent] }).events[0]);
  }

  get connections(): number {
    return this.listener.connections;
  }

  async until(count: number): Promise<void> {
    await until(`${count} requests arrived`, () => this.received.length >= count);
  }

  stop(): Promise<void> {
    return this.listener.stop();
  }

  start(): Promise<void> {
    return this.listener.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, (this.atOnce += 1));
    response.once('close', () => (this.atOnce -= 1));
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const { method = '', url = '', headers } = request;
    const got = { method, url, headers, body: Buffer.concat(chunks).toString(), at: performance.now() };
    this.received.push(got);
    const answer = this.answer(got, this.received.length - 1);
    if (answer === 'hang') return;
    if (answer === 'close') request.socket.destroy();
    else if (answer === 'huge') this.flood(response);
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else {
      await sleep(answer.after ?? 0);
      response.writeHead(answer.status, answer.headers).end();
    }
  }

  /** A body without an end. */
  private flood(response: http.ServerResponse): void {
    response.writeHead(200);
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      if (!response.destroyed) response.once('drain', write);
    };
    write();
  }
}
