/**
 * - missing: the upstream says that there is no such thing
 * - unauthorized, denied: it will not give it to us
 * - refused: we will not ask, the namespace is not for us
 * - unresolved: DNS has no such host
 * - rate-limited, unavailable, timeout: it cannot answer now
 * - wrong: it answered with something that is not what it claims
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

/** Why an upstream gave no usable answer. Messages name registries and statuses, never a URL's path, query or address. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';

  constructor(
    readonly kind: UpstreamErrorKind,
    message: string,
    /** Seconds after which the upstream may be asked again, when it said so. */
    readonly retryAfter?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** An answer that must reach the client even when something older is stored (P7); the rest is an outage (P6). */
  get isDefinitive(): boolean {
    return definitive.has(this.kind);
  }
}

/** The error that a status of an upstream stands for. */
export function errorOfStatus(status: number, host: string, retryAfter?: number): UpstreamError {
  const message = `${host} answered ${status}`;
  if (status === 401) return new UpstreamError('unauthorized', message);
  if (status === 403) return new UpstreamError('denied', message);
  if (status === 404 || status === 410) return new UpstreamError('missing', message);
  if (status === 408) return new UpstreamError('timeout', message);
  if (status === 429) return new UpstreamError('rate-limited', message, retryAfter);
  return new UpstreamError(status >= 500 ? 'unavailable' : 'wrong', message, retryAfter);
}
