/**
 * - missing: the upstream does not have the content
 * - unauthorized, denied: the upstream refuses access
 * - refused: no request is sent, because the namespace is not mirrored here
 * - unresolved: the host name does not exist
 * - rate-limited, unavailable, timeout: the upstream cannot respond now
 * - wrong: the response is invalid
 */
export type UpstreamErrorKind =
  | 'missing'
  | 'unauthorized'
  | 'denied'
  | 'refused'
  | 'unresolved'
  | 'rate-limited'
  | 'unavailable'
  | 'timeout'
  | 'wrong';

const definitive: ReadonlySet<UpstreamErrorKind> = new Set(['missing', 'unauthorized', 'denied', 'refused']);

/** Why there is no usable upstream response. Messages name hosts and statuses, never a URL's path or query, or an IP address. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';

  constructor(
    readonly kind: UpstreamErrorKind,
    message: string,
    /** Seconds from the upstream's Retry-After. */
    readonly retryAfter?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** Whether the error must reach the client even when a stale copy is cached (P7); others are outages (P6). */
  get isDefinitive(): boolean {
    return definitive.has(this.kind);
  }
}

/** A limit of this process prevented the request. This says nothing about the upstream, so its health ignores it. */
export class LocalLimitError extends UpstreamError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

/** No TLS connection can be established until a setting or a certificate changes. */
export class TlsError extends UpstreamError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

/** The error for an upstream's response status. */
export function errorOfStatus(status: number, host: string, retryAfter?: number): UpstreamError {
  const message = `${host} responded with ${status}`;
  if (status === 401) return new UpstreamError('unauthorized', message);
  if (status === 403) return new UpstreamError('denied', message);
  if (status === 404 || status === 410) return new UpstreamError('missing', message);
  if (status === 408) return new UpstreamError('timeout', message);
  if (status === 429) return new UpstreamError('rate-limited', message, retryAfter);
  return new UpstreamError(status >= 500 ? 'unavailable' : 'wrong', message, retryAfter);
}
