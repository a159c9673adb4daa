import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What becomes of a request: `cut` breaks its connection after a part of the body, `short` ends the connection to the
 * server there in good order, as that of a killed process ends, `lose` lets the server do it and breaks
 * before the answer, `halve` breaks in the middle of the answer, `hang` never answers, `drip` sends headers without end,
 * `stall` sends the headers of the answer and nothing after them; a number is a status of the proxy's.
 */
export type Fate = 'pass' | 'cut' | 'short' | 'lose' | 'halve' | 'hang' | 'drip' | 'stall' | number;

/** Stands between the storage and its server. The host that a request is signed for stays as it is. */
export class FaultyProxy implements AsyncDisposable {
  /** `METHOD path?query` of everything that came. */
  readonly requests: string[] = [];
  /** Connections that came. */
  connections = 0;
  /** What the proxy's own answers say. */
  message = 'planned';
  /** Headers of requests that the server does not get to see. */
  withheld: readonly string[] = [];
  fate: (request: string, count: number) => Fate = () => 'pass';
  private readonly server = http.createServer((request, response) => this.serve(request, response));
  private readonly agent = new http.Agent({ keepAlive: true });

  private constructor(private readonly target: URL) {}

  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(new URL(target));
    proxy.server.on('connection', () => (proxy.connections += 1));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  count(pattern: RegExp): number {
    return this.requests.filter((request) => pattern.test(request)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    this.requests.push(line);
    const fate = this.fate(line, this.requests.filter((other) => other === line).length);
    for (const stream of [request, response]) stream.on('error', () => undefined);
    if (fate === 'hang') return void request.resume();
    if (fate === 'drip') {
      drip(request);
      return;
    }
    if (fate === 'cut') {
      request.once('data', () => request.socket.resetAndDestroy());
      request.once('end', () => request.socket.resetAndDestroy());
      return;
    }
    if (typeof fate === 'number') {
      request.resume();
      request.once('end', () => {
        const code = { 403: 'AccessDenied', 503: 'SlowDown' }[fate] ?? 'InternalError';
        response.writeHead(fate, { 'content-type': 'application/xml' });
        response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${this.message}</Message></Error>`);
      });
      return;
    }
    this.forward(request, response, fate);
  }

  private forward(request: IncomingMessage, response: ServerResponse, fate: Fate): void {
    const { method, url } = request;
    const headers = { ...request.headers };
    for (const name of this.withheld) Reflect.deleteProperty(headers, name);
    const { hostname, port } = this.target;
    const onward = http.request({ hostname, port, method, path: url, headers, agent: this.agent, setHost: false });
    const leave = () => void response.socket?.resetAndDestroy();
    onward.on('error', leave);
    response.once('close', () => onward.destroy());
    onward.once('response', (answer) => {
      if (fate === 'lose') {
        answer.resume();
        answer.once('end', leave);
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      if (fate === 'stall') {
        response.flushHeaders();
        answer.resume();
        return;
      }
      if (fate !== 'halve') return void answer.pipe(response);
      const half = Number(answer.headers['content-length'] ?? 0) / 2;
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        sent += chunk.length;
        response.write(chunk);
        if (sent <= half) return;
        // On a busy machine the rest would arrive before the timer.
        answer.destroy();
        setTimeout(leave, 20);
      });
    });
    if (fate !== 'short') return void request.pipe(onward);
    request.once('data', (chunk: Buffer) => {
      onward.write(chunk.subarray(0, Math.max(1, chunk.length / 2)), () => onward.socket?.end());
      request.resume();
    });
  }
}

/** One header after another, for as long as the client stays. */
function drip(request: IncomingMessage): void {
  const { socket } = request;
  request.resume();
  socket.write('HTTP/1.1 200 OK\r\n');
  const timer = setInterval(() => socket.write('X-Slow: 1\r\n'), 200);
  socket.once('close', () => clearInterval(timer));
}
