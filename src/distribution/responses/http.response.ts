import type { ValidityCheck } from '../../registry/validity-check.js';

/** Takes one chunk of a body; it is only valid until the promise settles. */
export type BodySink = (chunk: Uint8Array) => Promise<void>;

/** A body that is copied to the client chunk by chunk, at the client's speed. */
export interface StreamedBody {
  copy(sink: BodySink, signal: AbortSignal): Promise<void>;
}

/** What a client gets, as a value, until the edge writes it. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string | Uint8Array | StreamedBody;
  /** Whether it can be given again as it is; see `PreparedResponses`. */
  readonly validity?: ValidityCheck | undefined;
  /** Releases what the body holds; called once, whether or not the body was sent. */
  close?(): Promise<void>;
}

/** Headers of every answer: what clients recognise a registry by, and no guessing of content types in browsers. */
export const commonHeaders = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
} as const;
