import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { ServerResponse } from 'node:http';
import { matchesEntityTag } from '../../oci/entity-tag.js';
import { Digest } from '../../oci/digest.js';
import type { CachedState, ValidityCheck } from '../../registry/validity-check.js';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import { FoldedTargets } from '../hot/folded.targets.js';
import type { NamespaceRules } from '../request-target.js';
import type { HttpResponse, ServedRequest } from './http.response.js';

/** Bytes of cached responses. The cache of small content holds most of the bodies anyway. */
const budget = 8 * 1024 * 1024;
/** Bytes that a response counts besides its body. */
const overhead = 2048;
/** Bytes of the largest body that is cached: a larger one needs room in memory until it has been sent. */
const largest = 64 * 1024;
/** Longest cached request target, in characters. */
const longestTarget = 1024;

/** Milliseconds until a response is made anew, so that uses are recorded and no validity check decides for ever. */
const lifetime = 300_000;

type Header = string | number;

/** A response that is sent again to the requests of its target. */
export interface CachedResponse {
  /** Names and values in turn, as `writeHead` takes them: those before and after `age`. */
  readonly headers: readonly [Header[], Header[]];
  readonly body: Uint8Array | undefined;
  readonly digest: Digest;
  /** The request that it was made for: folded target, path of its route, and what the target names. */
  readonly method: 'GET' | 'HEAD';
  readonly target: string;
  readonly route: string;
  readonly repository: string;
  readonly reference: string;
  /** X-Cache. */
  readonly cache: string | undefined;
  readonly validity: ValidityCheck;
  /** Where its bytes are counted. */
  readonly traffic: NamespaceTraffic;
  readonly served: HttpResponse['served'];
  readonly until: number;
}

/** What is sent now of a cached response. */
export interface ValidResponse {
  readonly cached: CachedResponse;
  readonly state: CachedState;
  /** Whether the client has it already, as its If-None-Match says. */
  readonly isUnmodified: boolean;
}

/**
 * Sends cached responses: routing, parsing, look-up and header construction happen once, not for each node of a cluster.
 * A cached target has passed every check, and gets the same response for as long as its validity check says so.
 */
export class CachedResponses {
  private readonly responses = {
    GET: new LRUCache<string, CachedResponse>({ maxSize: budget }),
    HEAD: new LRUCache<string, CachedResponse>({ maxSize: budget / 8 }),
  };

  private readonly targets: FoldedTargets;
  private generation = 0;

  constructor(rules: NamespaceRules) {
    this.targets = new FoldedTargets(rules);
  }

  /** Forgets everything, what is being made now, too: the namespaces are other ones. */
  clear(): void {
    this.generation += 1;
    this.targets.clear();
    for (const responses of Object.values(this.responses)) responses.clear();
  }

  /** Notes when requests arrive. Call it before every hook that waits. */
  noteArrivals(fastify: FastifyInstance): void {
    fastify.decorate('cachedResponses', this as CachedResponses);
    fastify.decorateRequest('generation', -1);
    fastify.addHook('onRequest', (request, _reply, done) => {
      Object.assign(request, { generation: this.generation } satisfies Arrival);
      done();
    });
  }

  /** Sends cached responses to requests that the framework has made. Call it after every other hook is added. */
  serve(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      if (!this.send(request, reply)) done();
    });
  }

  /** Caches a response if it can be sent again. */
  set(request: FastifyRequest, response: HttpResponse): void {
    const { status, headers, body, validity, served } = response;
    const { method, raw, routeOptions } = request;
    const target = raw.url ?? '';
    if (!this.isCurrent(request) || target.length > longestTarget) return;
    if (!isCacheable(method) || !validity || status !== 200 || !isPlain(request)) return;
    if (method === 'GET' && !(body instanceof Uint8Array)) return;
    if (body instanceof Uint8Array && body.length > largest) return;
    const bytes = method === 'GET' && body instanceof Uint8Array ? body : undefined;
    const { repository = '', reference, digest = '' } = request.params as Partial<Record<string, string>>;
    const cached: CachedResponse = {
      ...{ method, target, repository, validity, served },
      route: routeOptions.url ?? '',
      reference: reference ?? digest,
      cache: headers['x-cache'] === undefined ? undefined : String(headers['x-cache']),
      headers: aroundAge(headers),
      body: bytes,
      digest: Digest.parse(String(headers['docker-content-digest'])),
      traffic: request.server.getDecorator<TrafficCounts>('traffic').of(String(headers['oci-namespace'])),
      until: performance.now() + lifetime,
    };
    this.responses[method].set(target, cached, { size: overhead + (bytes?.length ?? 0) });
    this.targets.set(request);
  }

  /**
   * The cached response of a target as clients write it, valid or not.
   * @param host of the only Host header of the request
   */
  find(method: 'GET' | 'HEAD', url: string, host: string): CachedResponse | undefined {
    const target = this.targets.find(url, host);
    return target === undefined ? undefined : this.responses[method].get(target);
  }

  /**
   * Whether a cached response may be sent now, which counts as a cache hit then: whoever gets one sends it.
   * @param ifNoneMatch the header of the request
   */
  validate(cached: CachedResponse, ifNoneMatch: string | undefined): ValidResponse | undefined {
    const state = performance.now() < cached.until ? cached.validity() : undefined;
    if (state) return { cached, state, isUnmodified: matchesEntityTag(ifNoneMatch, cached.digest) };
    this.responses[cached.method].delete(cached.target);
    return undefined;
  }

  /** @returns whether there is a valid one */
  private send(request: FastifyRequest, reply: FastifyReply): boolean {
    const { method, raw, headers } = request;
    if (!isCacheable(method) || !isPlain(request)) return false;
    const cached = this.responses[method].get(raw.url ?? '');
    const valid = cached && this.validate(cached, headers['if-none-match']);
    if (!valid) return false;
    if (this.isCurrent(request)) this.targets.set(request);
    reply.hijack();
    noteServed(valid, request);
    writeCached(valid, reply.raw);
    return true;
  }

  private isCurrent(request: object): boolean {
    return (request as Partial<Arrival>).generation === this.generation;
  }
}

/** Of a request: the generation of cached responses in which its target was folded. */
interface Arrival {
  readonly generation: number;
}

/** Counts a response that is about to be sent. @param request undefined where nobody is told of it */
export function noteServed({ cached, isUnmodified }: ValidResponse, request?: ServedRequest): void {
  if (isUnmodified) return;
  if (request) cached.served?.(request);
  cached.traffic.sent += cached.body?.length ?? 0;
}

/** @param first headers before its own, as names and values in turn; those that are set already come before them */
export function writeCached(valid: ValidResponse, response: ServerResponse, first: readonly Header[] = []): void {
  const { cached, state, isUnmodified } = valid;
  const [before, after] = cached.headers;
  const age = state.age === undefined ? [] : ['age', state.age];
  if (isUnmodified) {
    response.writeHead(304, [...first, ...before, ...age, ...withoutContent(after)]);
    response.end();
  } else {
    response.writeHead(200, [...first, ...before, ...age, ...after]);
    response.end(cached.body);
  }
}

function isCacheable(method: string): method is 'GET' | 'HEAD' {
  return method === 'GET' || method === 'HEAD';
}

/** Age is where a response without a cache has it. */
function aroundAge(headers: HttpResponse['headers']): CachedResponse['headers'] {
  const entries = Object.entries(headers);
  const index = entries.findIndex(([name]) => name === 'age' || name === 'content-type' || name === 'x-fallback-host');
  const at = index === -1 ? entries.length : index;
  return [entries.slice(0, at).flat(), entries.slice(entries[at]?.[0] === 'age' ? at + 1 : at).flat()];
}

/** Headers of a response that has no content (RFC 9110 §15.4.5). */
function withoutContent(headers: readonly Header[]): Header[] {
  return headers.filter((_, index) => {
    const name = headers[index - (index % 2)];
    return name !== 'content-type' && name !== 'content-length';
  });
}

/** Whether target and If-None-Match alone decide the response: no range, no body. */
function isPlain({ headers }: FastifyRequest): boolean {
  return (
    headers.range === undefined &&
    headers['if-range'] === undefined &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined
  );
}
