import { OciError, type ErrorCode } from '../oci/error.js';
import { StorageError } from '../storage/storage-error.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream/upstream-error.js';

/** Seconds to wait that clients are told when the upstream named none. */
const defaultRetryAfter = 5;

const codes: Record<Exclude<UpstreamErrorKind, 'missing'>, ErrorCode> = {
  unauthorized: 'UNAUTHORIZED',
  denied: 'DENIED',
  refused: 'NAME_UNKNOWN',
  unresolved: 'NAME_UNKNOWN',
  'rate-limited': 'TOOMANYREQUESTS',
  unavailable: 'UNAVAILABLE',
  timeout: 'TIMEOUT',
  wrong: 'UPSTREAM_ERROR',
};

/** The error a client gets for what happened below; `missing` is the code for what it asked for. */
export function toResponseError(
  error: unknown,
  missing: 'BLOB_UNKNOWN' | 'MANIFEST_UNKNOWN' | 'NAME_UNKNOWN',
): unknown {
  if (error instanceof UpstreamError) return ofUpstream(error, missing);
  // Trouble with the storage is never an absence and never somebody else's fault (P20).
  if (error instanceof StorageError) {
    return new OciError('UNAVAILABLE', error.message, { retryAfter: defaultRetryAfter, cause: error });
  }
  return error;
}

function ofUpstream(error: UpstreamError, missing: ErrorCode): OciError {
  if (error.kind === 'missing') return new OciError(missing, undefined, { detail: error.message, cause: error });
  const waits = error.kind === 'rate-limited' || error.kind === 'unavailable';
  const retryAfter = error.retryAfter ?? defaultRetryAfter;
  return new OciError(codes[error.kind], error.message, { cause: error, ...(waits && { retryAfter }) });
}

/** What a log line says of an error. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
