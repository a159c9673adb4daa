import http, { type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { Listener } from './listener.js';

/** What a proxy says to a request instead of passing it on; `silence` and `close` are no answer at all. */
export type Refusal = { readonly status: number; readonly headers?: OutgoingHttpHeaders } | 'silence' | 'close';

export interface ForwardProxyOptions {
  /** Addresses of names, which it resolves by itself. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Asks for `proxy@user` and `planted-proxy/password`. */
  readonly asksForPassword?: boolean;
  /** Listens with TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A forward proxy that tunnels, and forwards plain http to where a test says. */
export class ForwardProxy implements AsyncDisposable {
  /** What it was asked for: `CONNECT host:port` or `GET http://…`. */
  readonly asked: string[] = [];
  /** When set, what it says to every request. */
  refusal: Refusal | undefined;
  private readonly listener: Listener;

  private constructor(private readonly options: ForwardProxyOptions) {
    this.listener = new Listener(() => this.create());
  }

  static async start(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
    const proxy = new ForwardProxy(options);
    await proxy.listener.start();
    return proxy;
  }

  get host(): string {
    return this.listener.host;
  }

  /** Connections made to it. */
  get connections(): number {
    return this.listener.connections;
  }

  /** With the password if it asks for one. */
  get url(): string {
    const credentials = this.options.asksForPassword === true ? 'proxy%40user:planted-proxy%2Fpassword@' : '';
    return `http${this.options.tls ? 's' : ''}://${credentials}${this.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
  }

  private create(): http.Server {
    const { tls } = this.options;
    const server = tls ? https.createServer(tls) : http.createServer();
    server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) =>
      this.forward(request, response),
    );
    return server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => this.tunnel(request, socket));
  }

  private forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.asked.push(`${request.method} ${request.url}`);
    const refusal = this.refusalOf(request) ?? (URL.canParse(request.url ?? '') ? undefined : { status: 407 });
    if (refusal === 'silence') return;
    if (refusal === 'close') return void request.socket.destroy();
    if (refusal) return void response.writeHead(refusal.status, { 'content-length': 0, ...refusal.headers }).end();
    const headers = { ...request.headers };
    delete headers['proxy-authorization'];
    const target = new URL(request.url!);
    target.hostname = this.options.hosts?.[target.hostname] ?? target.hostname;
    const sent = http.request(target, { method: request.method!, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    sent.on('error', () => response.writeHead(502, { 'content-length': 0 }).end());
    request.pipe(sent);
  }

  private tunnel(request: http.IncomingMessage, socket: net.Socket): void {
    this.asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => undefined);
    const refusal = this.refusalOf(request);
    if (refusal === 'silence') return;
    if (refusal === 'close') return void socket.destroy();
    if (refusal) return void socket.end(`HTTP/1.1 ${refusal.status} Refused\r\ncontent-length: 0\r\n\r\n`);
    const [, port] = request.url!.split(':');
    const target = net.connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    socket.on('close', () => target.destroy());
  }

  private refusalOf({ headers }: http.IncomingMessage): Refusal | undefined {
    if (this.refusal) return this.refusal;
    const value = Buffer.from('proxy@user:planted-proxy/password').toString('base64');
    const isIn = this.options.asksForPassword !== true || headers['proxy-authorization'] === `Basic ${value}`;
    return isIn ? undefined : { status: 407 };
  }
}
