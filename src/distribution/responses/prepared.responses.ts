import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { ValidityCheck } from '../../registry/validity-check.js';
import type { NamespaceTraffic, TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import type { HttpResponse } from './http.response.js';

/** Bytes of answers that are remembered. Their bodies are mostly those that the cache of small content has anyway. */
const budget = 8 * 1024 * 1024;
/** Bytes that an answer is counted as besides its body. */
const overhead = 2048;
/** Longest request target that is remembered. */
const longestTarget = 1024;

/** Milliseconds after which an answer is found out anew, so that uses are noted and nothing depends on `again` for ever. */
const lifetime = 300_000;

interface Prepared {
  readonly validity: ValidityCheck;
  /** Names and values in turn, as `writeHead` takes them. */
  readonly headers: readonly (string | number)[];
  readonly body: Uint8Array | undefined;
  /** Where its bytes are counted. */
  readonly traffic: NamespaceTraffic;
}

/**
 * Answers from memory that were given before and still hold: routing, parsing, looking up and writing headers is done
 * once, and not for every node of a cluster that asks for the same. A target that was answered had passed every check;
 * the same target asked in the same way gets the same answer, for as long as `again` says so.
 */
export class PreparedResponses {
  private readonly responses = {
    GET: new LRUCache<string, Prepared>({ maxSize: budget, ttl: lifetime }),
    HEAD: new LRUCache<string, Prepared>({ maxSize: budget / 8, ttl: lifetime }),
  };

  /** Remembers an answer that is being given, if it can be given again. */
  keep(request: FastifyRequest, { status, headers, body, validity }: HttpResponse): void {
    const responses = this.of(request);
    if (!responses || !validity || status !== 200 || !isPlain(request) || request.originalUrl.length > longestTarget)
      return;
    const isHead = request.method === 'HEAD';
    if (!isHead && !(body instanceof Uint8Array)) return;
    const bytes = isHead || !(body instanceof Uint8Array) ? undefined : body;
    const prepared = {
      validity,
      headers: Object.entries(headers).flatMap(([name, value]) => (name === 'age' ? [] : [name, value])),
      body: bytes,
      traffic: request.server.getDecorator<TrafficCounts>('traffic').of(String(headers['oci-namespace'])),
    };
    responses.set(request.originalUrl, prepared, { size: overhead + (bytes?.length ?? 0) });
  }

  /** Gives the answer that the request's target had before. @returns whether there is one that holds */
  give(request: FastifyRequest, reply: FastifyReply): boolean {
    const responses = this.of(request);
    const prepared = responses?.get(request.originalUrl);
    if (!prepared || !isPlain(request)) return false;
    const now = prepared.validity();
    if (!now) {
      responses?.delete(request.originalUrl);
      return false;
    }
    reply.hijack();
    const { headers } = prepared;
    prepared.traffic.sent += prepared.body?.length ?? 0;
    reply.raw.writeHead(200, now.age === undefined ? [...headers] : [...headers, 'age', now.age]);
    reply.raw.end(prepared.body);
    return true;
  }

  private of({ method }: FastifyRequest): LRUCache<string, Prepared> | undefined {
    return method === 'GET' || method === 'HEAD' ? this.responses[method] : undefined;
  }
}

/** To be called after every other hook is there, so that those see these requests too. */
export function serveCachedResponses(fastify: FastifyInstance): void {
  const prepared = new PreparedResponses();
  fastify.decorate('prepared', prepared);
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!prepared.give(request, reply)) done();
  });
}

/** Whether nothing but its target decides what a request gets: no condition, no part, no body. */
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
