import type { FastifyRequest } from 'fastify';
import type { ValidityCheck } from '../../registry/validity-check.js';

/** Takes one chunk of a body; the chunk is valid until the promise settles. */
export type BodySink = (chunk: Uint8Array) => Promise<void>;

/** A body that is copied to the client chunk by chunk, at the client's speed. */
export interface StreamedBody {
  copy(sink: BodySink, signal: AbortSignal): Promise<void>;
}

/** What is known of each request that a response is served to, whether or not the framework has made it. */
export type ServedRequest = Pick<FastifyRequest, 'id' | 'method' | 'headers' | 'originalUrl' | 'raw'>;

/** A response as a value; `send` writes it. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string | Uint8Array | StreamedBody;
  /** Makes the response cacheable, and tells whether it is still valid; see `CachedResponses`. */
  readonly validity?: ValidityCheck | undefined;
  /** What it would have been without the condition that it meets, for the cache. */
  readonly whole?: HttpResponse | undefined;
  /** Called each time the response is about to be served, from the cache too. */
  readonly served?: ((request: ServedRequest) => void) | undefined;
  /** Releases what the body holds; called once, whether or not the body was sent. */
  close?(): Promise<void>;
}

/** Headers of every response: clients recognise a registry by the first, the second keeps browsers from guessing types. */
export const commonHeaders = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
} as const;
