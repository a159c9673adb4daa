import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { Listener } from '../listener.js';

/** A request as it was received. */
export interface CloudRequestSeen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CloudReply {
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** A reply, or what a broken endpoint does instead: says nothing, closes, never ends, sends half. */
export type CloudStep = CloudReply | 'silence' | 'close' | 'endless' | 'half';

/** An endpoint of a cloud on a loopback address, with what it was sent. Subclasses know its usual replies. */
export abstract class ScriptedCloud implements AsyncDisposable {
  readonly requests: CloudRequestSeen[] = [];
  /** Sent before the usual replies, one for each request. */
  readonly next: CloudStep[] = [];
  /** Sent instead of the usual replies. */
  always: CloudStep | undefined;
  private readonly listener = new Listener(() =>
    http.createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        this.receive({ method, path, headers, body }, response);
      });
    }),
  );

  async start(): Promise<this> {
    await this.listener.start();
    return this;
  }

  get host(): string {
    return this.listener.host;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Refuses connections. */
  stop(): Promise<void> {
    return this.listener.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
  }

  protected abstract reply(request: CloudRequestSeen): CloudReply;

  private receive(request: CloudRequestSeen, response: ServerResponse): void {
    this.requests.push(request);
    const step = this.next.shift() ?? this.always ?? this.reply(request);
    if (step === 'silence') return;
    if (step === 'close') return void response.destroy();
    if (step === 'endless') {
      flood(response);
      return;
    }
    if (step === 'half') return void response.writeHead(200, { 'content-length': 1_000 }).write('{"half":');
    const { status = 200, headers = {}, body = '' } = step;
    response.writeHead(status, headers).end(body);
  }
}

function flood(response: ServerResponse): void {
  let isOpen = true;
  response.on('close', () => (isOpen = false));
  const more = () => {
    if (isOpen && response.write('x'.repeat(65_536))) setImmediate(more);
    else if (isOpen) response.once('drain', more);
  };
  more();
}
