import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FixtureCertificate } from '../fixtures/certificate.js';
import type { FixtureBlob, FixtureContent, FixtureManifest } from '../fixtures/images.js';
import { Listener } from './listener.js';
import { AccessControl } from './registry/access-control.js';
import { type HttpResponse, errorResponse } from './registry/response.js';
import { writeResponse } from './registry/response-writer.js';
import { type Behaviour, type BehaviourOptions, makeBehaviour } from './registry/behaviour.js';
import { Cdn } from './registry/cdn.js';
import { RegistryContent } from './registry/content.js';
import { Endpoints } from './registry/endpoints.js';
import { type RecordedRequest, type RequestFilter, RequestLog } from './registry/request-log.js';
import { parseRoute, type Route } from './registry/route.js';

export interface FakeRegistryOptions extends BehaviourOptions {
  /** Serve https, on all three ports. */
  readonly tls?: FixtureCertificate;
}

type Origin = 'registry' | 'realm' | 'cdn';

/**
 * An upstream registry that keeps to the specification, with the quirks of real ones at choice. It listens on three
 * ports of 127.0.0.1: the registry itself, a second place for tokens, and the CDN that redirects lead to.
 */
export class FakeRegistry implements AsyncDisposable {
  /** Change it at any time; it counts from the next request on. */
  readonly behaviour: Behaviour;
  readonly content = new RegistryContent();
  readonly cdn: Cdn;
  /** Failures of the fake itself, not of its clients: an end-to-end test may assert that there are none. */
  readonly failures: unknown[] = [];
  /** Requests being answered now, and the most there ever were at once. */
  inFlight = 0;
  peakInFlight = 0;
  readonly #log = new RequestLog();
  readonly #listeners: Readonly<Record<Origin, Listener>>;
  readonly #access: AccessControl;
  readonly #endpoints: Endpoints;
  readonly #scheme: 'http' | 'https';

  private constructor({ tls, ...options }: FakeRegistryOptions) {
    this.behaviour = makeBehaviour(options);
    this.#scheme = tls ? 'https' : 'http';
    const listener = (origin: Origin): Listener => new Listener(() => createServer(this.#listen(origin), tls));
    this.#listeners = { registry: listener('registry'), realm: listener('realm'), cdn: listener('cdn') };
    this.cdn = new Cdn(this.behaviour, this.#log, () => this.#origin('cdn'));
    this.#access = new AccessControl(this.behaviour, () => this.realm);
    this.#endpoints = new Endpoints(this.behaviour, this.content, this.cdn, () => this.url);
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const registry = new FakeRegistry(options);
    await registry.restart();
    return registry;
  }

  /** Comes back on the ports it had. */
  async restart(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.start()));
  }

  /** Connections are refused from now on; open ones are dropped. */
  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.stop()));
  }

  async close(): Promise<void> {
    await this.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get url(): string {
    return this.#origin('registry');
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return this.#listeners.registry.host;
  }

  /** Where the challenges send clients for tokens. */
  get realm(): string {
    return `${this.#origin(this.behaviour.token.separatePort ? 'realm' : 'registry')}/token`;
  }

  /** The settings that name its other two ports, which an upstream needs to use them. */
  get otherPorts(): { readonly tokenRealms: string[]; readonly redirectHosts: string[] } {
    const { realm, cdn } = this.#listeners;
    return { tokenRealms: [realm.host], redirectHosts: [cdn.host] };
  }

  get requests(): readonly RecordedRequest[] {
    return this.#log.requests;
  }

  /** Open connections to any of the three ports. */
  get openSockets(): number {
    return Object.values(this.#listeners).reduce((sum, { sockets }) => sum + sockets.size, 0);
  }

  count(filter: RequestFilter = {}): number {
    return this.#log.select(filter).length;
  }

  select(filter: RequestFilter = {}): RecordedRequest[] {
    return this.#log.select(filter);
  }

  /** Bytes of bodies sent in answer to the requests that match. */
  bodyBytes(filter: RequestFilter = {}): number {
    return this.#log.select(filter).reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  }

  /** Forgets the recorded requests; content, tokens and behaviour stay. */
  reset(): void {
    this.#log.reset();
    this.peakInFlight = this.inFlight;
  }

  addImage(repository: string, image: FixtureContent, tags: readonly string[] = []): void {
    this.content.addImage(repository, image, tags);
  }

  addManifest(repository: string, manifest: FixtureManifest): void {
    this.content.addManifest(repository, manifest);
  }

  addBlob(repository: string, blob: FixtureBlob): void {
    this.content.addBlob(repository, blob);
  }

  setTag(repository: string, tag: string, digest: string): void {
    this.content.setTag(repository, tag, digest);
  }

  deleteTag(repository: string, tag: string): void {
    this.content.deleteTag(repository, tag);
  }

  deleteManifest(repository: string, digest: string): void {
    this.content.deleteManifest(repository, digest);
  }

  deleteBlob(repository: string, digest: string): void {
    this.content.deleteBlob(repository, digest);
  }

  /** Every token given so far is invalid from now on. */
  revokeTokens(): void {
    this.#access.realm.revokeAll();
  }

  #origin(origin: Origin): string {
    return `${this.#scheme}://${this.#listeners[origin].host}`;
  }

  #listen(origin: Origin): RequestListener {
    return (message, response) => {
      const closed = new AbortController();
      response.once('close', () => closed.abort());
      this.inFlight += 1;
      this.peakInFlight = Math.max(this.peakInFlight, this.inFlight);
      this.#serve(origin, message, response, closed.signal)
        .catch((error: unknown) => {
          if (response.closed || response.destroyed || closed.signal.aborted) return;
          this.failures.push(error);
          response.destroy();
        })
        .finally(() => (this.inFlight -= 1));
    };
  }

  async #serve(origin: Origin, message: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { method = '', url = '/', headers } = message;
    const content = method === 'POST' ? { content: await text(message) } : {};
    message.resume();
    const request = this.#log.record({ ...this.#route(origin, url), method, url, headers, ...content });
    await this.behaviour.before?.(request, response);
    if (response.headersSent || response.destroyed) return;
    const { delayHeaders, slowKinds } = this.behaviour;
    const slow = slowKinds?.includes(request.kind) ?? true;
    if (slow && delayHeaders > 0) await sleep(delayHeaders, undefined, { signal });
    await writeResponse(this.behaviour, request, response, this.#respond(request), signal);
  }

  #route(origin: Origin, target: string): Route {
    const url = new URL(target.startsWith('/') ? `${this.url}${target}` : target, this.url);
    if (origin === 'cdn') return this.cdn.route(url);
    if (url.pathname === '/token') return { kind: 'token' };
    return origin === 'realm' ? { kind: 'other' } : parseRoute(url.pathname);
  }

  #respond(request: RecordedRequest): HttpResponse {
    const outage = this.#outage(request);
    if (outage) return outage;
    if (request.kind === 'token') return this.#access.realm.respond(request);
    if (request.kind === 'cdn') return this.cdn.respond(request);
    return this.#access.findRefusal(request) ?? this.#endpoints.respond(request);
  }

  #outage({ kind, method }: RecordedRequest): HttpResponse | undefined {
    const { outage } = this.behaviour;
    if (!outage || !(outage.kinds?.includes(kind) ?? true) || !(outage.methods?.includes(method) ?? true))
      return undefined;
    if (outage.times !== undefined) {
      if (outage.times <= 0) return undefined;
      outage.times -= 1;
    }
    const { status, retryAfter, body } = outage;
    const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
    if (body !== undefined) return { status, headers, body: Buffer.from(body) };
    return errorResponse(status, status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE', 'out of order', headers);
  }
}

function createServer(listener: RequestListener, tls: FixtureCertificate | undefined): http.Server | https.Server {
  // A connection closed for being idle just as a client uses it again would look like a failure of the client.
  const options = { keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0 };
  return tls ? https.createServer({ ...options, ...tls }, listener) : http.createServer(options, listener);
}
