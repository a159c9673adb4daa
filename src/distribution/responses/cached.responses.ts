import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { ValidityCheck } from '../../registry/validity-check.js';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import type { HttpResponse } from './http.response.js';

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

interface CachedResponse {
  readonly validity: ValidityCheck;
  /** Names and values in turn, as `writeHead` takes them. */
  readonly headers: readonly (string | number)[];
  readonly body: Uint8Array | undefined;
  /** Where its bytes are counted. */
  readonly traffic: NamespaceTraffic;
  readonly served: HttpResponse['served'];
}

/**
 * Sends cached responses: routing, parsing, look-up and header construction happen once, not for each node of a cluster.
 * A cached target has passed every check, and gets the same response for as long as its validity check says so.
 */
export class CachedResponses {
  private readonly responses = {
    GET: new LRUCache<string, CachedResponse>({ maxSize: budget, ttl: lifetime }),
    HEAD: new LRUCache<string, CachedResponse>({ maxSize: budget / 8, ttl: lifetime }),
  };

  private clearedAt = -Infinity;

  /** Forgets everything, what is being made now, too: the namespaces are other ones. */
  clear(): void {
    this.clearedAt = performance.now();
    for (const responses of Object.values(this.responses)) responses.clear();
  }

  /** Caches a response if it can be sent again. @param elapsed milliseconds since its request arrived */
  set(request: FastifyRequest, { status, headers, body, validity, served }: HttpResponse, elapsed: number): void {
    const responses = this.of(request);
    if (performance.now() - elapsed <= this.clearedAt) return;
    if (!responses || !validity || status !== 200 || !isPlain(request) || targetOf(request).length > longestTarget)
      return;
    const isHead = request.method === 'HEAD';
    if (!isHead && !(body instanceof Uint8Array)) return;
    if (body instanceof Uint8Array && body.length > largest) return;
    const bytes = isHead || !(body instanceof Uint8Array) ? undefined : body;
    const cached = {
      validity,
      headers: Object.entries(headers).flatMap(([name, value]) => (name === 'age' ? [] : [name, value])),
      body: bytes,
      traffic: request.server.getDecorator<TrafficCounts>('traffic').of(String(headers['oci-namespace'])),
      served,
    };
    responses.set(targetOf(request), cached, { size: overhead + (bytes?.length ?? 0) });
  }

  /** Sends the cached response of the request's target. @returns whether there is a valid one */
  send(request: FastifyRequest, reply: FastifyReply): boolean {
    const responses = this.of(request);
    const cached = responses?.get(targetOf(request));
    if (!cached || !isPlain(request)) return false;
    const now = cached.validity();
    if (!now) {
      responses?.delete(targetOf(request));
      return false;
    }
    reply.hijack();
    const { headers } = cached;
    cached.served?.(request);
    cached.traffic.sent += cached.body?.length ?? 0;
    reply.raw.writeHead(200, now.age === undefined ? [...headers] : [...headers, 'age', now.age]);
    reply.raw.end(cached.body);
    return true;
  }

  private of({ method }: FastifyRequest): LRUCache<string, CachedResponse> | undefined {
    return method === 'GET' || method === 'HEAD' ? this.responses[method] : undefined;
  }
}

/** Call it after every other hook is added, so that those see these requests too. */
export function serveCachedResponses(fastify: FastifyInstance): void {
  const cached = new CachedResponses();
  fastify.decorate('cachedResponses', cached);
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!cached.send(request, reply)) done();
  });
}

/** The folded target, because the Host header can decide which repository the client's own is about. */
function targetOf({ raw }: FastifyRequest): string {
  return raw.url ?? '';
}

/** Whether the target alone decides the response: no condition, no range, no body. */
function isPlain({ headers }: FastifyRequest): boolean {
  return (
    headers.range === undefined &&
    headers['if-range'] === undefined &&
    headers['if-none-match'] === undefined &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined
  );
}
