import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import type { FixtureCertificate } from '../fixtures/certificate.js';
import { Listener } from './listener.js';
import { plain } from './scripted/responses.js';
import { Peer } from './scripted/peer.js';
import { RequestParser, type ScriptedRequest } from './scripted/request-parser.js';
import { type Script, type Step, stepsOf } from './scripted/steps.js';

export * from './scripted/responses.js';
export * from './scripted/lies.js';
export {
  bytes,
  chunked,
  cut,
  drip,
  head,
  type Headers,
  raw,
  reset,
  type Script,
  silence,
  type Step,
  wait,
} from './scripted/steps.js';
export type { ScriptedRequest } from './scripted/request-parser.js';

export interface ScriptedUpstreamOptions {
  readonly tls?: FixtureCertificate;
  /** Where to listen instead of a free port of 127.0.0.1. */
  readonly address?: string;
  readonly port?: number;
}

export interface ScriptedFilter {
  /** Absent: every method. */
  readonly method?: string;
  readonly path?: string | RegExp;
}

interface Rule {
  readonly method: string;
  readonly path: string | RegExp;
  readonly scripts: readonly Script[];
  used: number;
}

/**
 * An HTTP upstream on raw sockets that says exactly what a test tells it to, true or not. Connections are kept alive
 * after a script unless it ends them; a request that no rule matches gets 404.
 */
export class ScriptedUpstream implements AsyncDisposable {
  /** Every request, in order of arrival. */
  readonly requests: ScriptedRequest[] = [];
  /** Scripts that failed although the client was still there: mistakes in a test. */
  readonly failures: unknown[] = [];
  readonly #rules: Rule[] = [];
  readonly #listener: Listener;
  #accepted = 0;
  readonly #scheme: 'http' | 'https';

  private constructor({ tls: certificate, address, port }: ScriptedUpstreamOptions) {
    const accept = (socket: Socket): void => void this.#serve(socket);
    this.#scheme = certificate ? 'https' : 'http';
    const create = () => (certificate ? tls.createServer(certificate, accept) : net.createServer(accept));
    this.#listener = new Listener(create, address, port);
  }

  static async start(options: ScriptedUpstreamOptions = {}): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(options);
    await upstream.revive();
    return upstream;
  }

  /** Dead: open connections are reset, new ones refused. */
  async kill(): Promise<void> {
    await this.#listener.stop({ reset: true });
  }

  /** Back on the same port, rules and their positions as they were. */
  async revive(): Promise<void> {
    await this.#listener.start();
  }

  async close(): Promise<void> {
    await this.#listener.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`;
  }

  /** `127.0.0.1:port`, unless it listens elsewhere. */
  get host(): string {
    return this.#listener.host;
  }

  get openSockets(): number {
    return this.#listener.sockets.size;
  }

  /** Connections accepted since the start. */
  get connections(): number {
    return this.#listener.connections;
  }

  /**
   * Each request that matches takes the next script; the last one repeats. A rule for a method and path replaces the
   * earlier one for the same two; otherwise the rule added first wins.
   * @param method `*` is any.
   * @param path text is compared with the path, and with the query too when it has one; an expression is searched in both.
   */
  on(method: string, path: string | RegExp, ...scripts: readonly [Script, ...Script[]]): this {
    const position = this.#rules.findIndex((rule) => rule.method === method && String(rule.path) === String(path));
    const rule: Rule = { method, path, scripts, used: 0 };
    if (position === -1) this.#rules.push(rule);
    else this.#rules[position] = rule;
    return this;
  }

  select({ method, path }: ScriptedFilter = {}): ScriptedRequest[] {
    return this.requests.filter(
      (request) =>
        (method === undefined || request.method === method) && (path === undefined || isAt(request.path, path)),
    );
  }

  count(filter: ScriptedFilter = {}): number {
    return this.select(filter).length;
  }

  /** Bytes of bodies given to the sockets of the matching requests; a client that left may have received fewer. */
  bodyBytes(filter: ScriptedFilter = {}): number {
    return this.select(filter).reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  }

  /** Forgets the requests; rules and their positions stay. */
  reset(): void {
    this.requests.length = 0;
  }

  async #serve(socket: Socket): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    this.#accepted += 1;
    const parser = new RequestParser(this.#accepted);
    let turn = Promise.resolve();
    // Reading goes on while a script runs: only a reader notices that the client has left.
    try {
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        for (const request of parser.push(chunk as Buffer)) {
          this.requests.push(request);
          turn = turn.then(() => this.#respond(socket, request, gone.signal));
        }
      }
    } catch {
      socket.destroy();
    }
  }

  async #respond(socket: Socket, request: ScriptedRequest, signal: AbortSignal): Promise<void> {
    const peer = new Peer(socket, this.#transport(socket), request, signal);
    try {
      for (const step of this.#steps(request)) {
        if (signal.aborted) return;
        await step(peer);
      }
    } catch (error) {
      if (signal.aborted || socket.destroyed || socket.writableEnded) return;
      this.failures.push(error);
      socket.destroy();
    }
  }

  /** A TLS socket cannot be reset; the connection below it, which has the same peer, can. */
  #transport(socket: Socket): Socket {
    if (!(socket instanceof tls.TLSSocket)) return socket;
    return [...this.#listener.sockets].find(({ remotePort }) => remotePort === socket.remotePort) ?? socket;
  }

  #steps(request: ScriptedRequest): readonly Step[] {
    const rule = this.#rules.find(
      ({ method, path }) => (method === '*' || method === request.method) && isAt(request.path, path),
    );
    const script = rule?.scripts[Math.min(rule.used, rule.scripts.length - 1)] ?? plain(404, 'no rule');
    if (rule) rule.used += 1;
    return stepsOf(script, request);
  }
}

function isAt(target: string, path: string | RegExp): boolean {
  if (path instanceof RegExp) return target.search(path) !== -1;
  return target === path || target.split('?')[0] === path;
}
