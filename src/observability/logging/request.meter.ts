import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isComplete } from './complete.response.js';
import { RecentErrors } from './recent.errors.js';

/** Labels of request counts. The sets are fixed: nothing that a client sends becomes a label. */
export const endpoints = ['base', 'manifests', 'blobs', 'uploads', 'tags', 'referrers', 'catalog', 'other'] as const;
export const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'other'] as const;
/** `aborted`: the connection closed before the response was complete. */
export const outcomes = ['aborted', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** Seconds: upper bounds of the histogram, from a warm manifest to a large layer. */
export const durationBounds = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300] as const;

/** Durations of one endpoint's responses, from the request's header to the last byte of the response. */
export class Durations {
  /** Responses per bucket, the last one for those beyond all bounds. */
  readonly counts = new Float64Array(durationBounds.length + 1);
  /** Seconds. */
  sum = 0;

  add(seconds: number): void {
    let index = 0;
    while (index < durationBounds.length && seconds > (durationBounds[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += seconds;
  }
}

/** What a request counts as: indexes of its endpoint and method. */
export interface RequestSeries {
  readonly endpoint: number;
  readonly method: number;
}

/** A response that has closed. */
export interface ClosedResponse {
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** When its request began, on the monotonic clock. */
  readonly start: number;
}

/** Counts requests, in preallocated arrays. */
@Injectable()
export class RequestMeter {
  /** Responses by endpoint, method and outcome, flattened; see `indexOf`. */
  readonly responses = new Float64Array(endpoints.length * methods.length * outcomes.length);
  readonly durations = endpoints.map(() => new Durations());
  /** Requests in progress. */
  active = 0;
  readonly errors = new RecentErrors();

  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      const start = performance.now();
      const response = reply.raw;
      const { socket } = request.raw;
      this.begin();
      response.once('close', () => {
        this.end(this.seriesOf(request.method, request.raw.url ?? ''), { response, socket, start });
        if (response.statusCode >= 500 || response.statusCode === 429)
          this.errors.add(request, response.statusCode, Date.now());
      });
      done();
    });
  }

  /** A request is in progress from now on. */
  begin(): void {
    this.active += 1;
  }

  /** Counts a response that has closed. */
  end({ endpoint, method }: RequestSeries, { response, socket, start }: ClosedResponse): void {
    this.active -= 1;
    const outcome = isComplete(response, socket) ? Math.floor(response.statusCode / 100) : 0;
    const index = indexOf(endpoint, method, outcome);
    this.responses[index] = (this.responses[index] ?? 0) + 1;
    this.durations[endpoint]?.add((performance.now() - start) / 1000);
  }

  /** @param target as `foldTarget` made it */
  seriesOf(method: string, target: string): RequestSeries {
    return { endpoint: endpointOf(target), method: methodOf(method) };
  }
}

export function indexOf(endpoint: number, method: number, outcome: number): number {
  return (endpoint * methods.length + method) * outcomes.length + outcome;
}

const [base, manifests, blobs, uploads, tags, referrers, catalog, other] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** @param url as `foldTarget` made it: `/v2/<one segment>/<noun>/…` for distribution endpoints. */
function endpointOf(url: string): number {
  if (!url.startsWith('/v2')) return other;
  const noun = url.startsWith('/v2/') ? url.indexOf('/', 4) + 1 : 0;
  if (noun === 0) return url === '/v2' || url.startsWith('/v2?') ? base : other;
  if (url.startsWith('manifests/', noun)) return manifests;
  if (url.startsWith('blobs/uploads', noun)) return uploads;
  if (url.startsWith('blobs/', noun)) return blobs;
  if (url.startsWith('tags/', noun)) return tags;
  if (url.startsWith('referrers/', noun)) return referrers;
  return url.startsWith('_catalog', noun) ? catalog : other;
}

function methodOf(method: string): number {
  const index = (methods as readonly string[]).indexOf(method);
  return index === -1 ? methods.length - 1 : index;
}
