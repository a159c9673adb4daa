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

/** The host that an error is about. */
export interface ErrorSource {
  /** With its port, unless that is the default one. */
  readonly host: string;
  /** Undefined when it sent no response. */
  readonly status?: number;
}

/** Why there is no usable upstream response. Messages name hosts and statuses, never a URL's path or query, or an IP address. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';

  constructor(
    readonly kind: UpstreamErrorKind,
    message: string,
    /** Seconds from the upstream's Retry-After. */
    readonly retryAfter?: number,
    /** Undefined when the error is about no host in particular. */
    readonly source?: ErrorSource,
  ) {
    super(message);
  }

  /** Whether the error must reach the client even when a stale copy is cached (P7); others are outages (P6). */
  get isDefinitive(): boolean {
    return definitive.has(this.kind);
  }
}

/** A limit of this process prevented the request. This says nothing about the upstream, so its health ignores it. */
export class LocalLimitError extends UpstreamError {
  constructor(message: string, retryAfter?: number) {
    super('unavailable', message, retryAfter);
  }
}

/** The source of the credentials gives none. What the upstream would respond is unknown. */
export class CredentialsUnavailableError extends LocalLimitError {}

/** No TLS connection can be established until a setting or a certificate changes. */
export class TlsError extends UpstreamError {
  constructor(message: string, host: string) {
    super('unavailable', message, undefined, { host });
  }
}

/** A HEAD was refused in a way that may mean that the registry does not support HEAD: only a GET can tell. */
export class HeadRefusedError extends UpstreamError {}

/** The error for an upstream's response status. */
export function errorOfStatus(status: number, host: string, retryAfter?: number): UpstreamError {
  return new UpstreamError(kindOf(status), `${host} responded with ${status}`, retryAfter, { host, status });
}

function kindOf(status: number): UpstreamErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'denied';
  if (status === 404 || status === 410) return 'missing';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate-limited';
  return status >= 500 ? 'unavailable' : 'wrong';
}
