import { OciError, type ErrorCode } from '../oci/error.js';
import { StorageError } from '../storage/storage-error.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream/upstream-error.js';

/** Retry-After in seconds when the upstream sent none. */
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

/** Maps storage and upstream errors to the OCI error for the client. @param missing the code for absent content */
export function toResponseError(
  error: unknown,
  missing: 'BLOB_UNKNOWN' | 'MANIFEST_UNKNOWN' | 'NAME_UNKNOWN',
): unknown {
  if (error instanceof UpstreamError) return ofUpstream(error, missing);
  // A storage failure never means absence and is never blamed on the upstream (P20).
  if (error instanceof StorageError) {
    return new OciError('UNAVAILABLE', error.message, { retryAfter: defaultRetryAfter, cause: error });
  }
  return error;
}

function ofUpstream(error: UpstreamError, missing: ErrorCode): OciError {
  if (error.kind === 'missing') return new OciError(missing, undefined, { detail: error.message, cause: error });
  const isTemporary = error.kind === 'rate-limited' || error.kind === 'unavailable';
  const retryAfter = error.retryAfter ?? defaultRetryAfter;
  return new OciError(codes[error.kind], error.message, { cause: error, ...(isTemporary && { retryAfter }) });
}

/** The error as a part of a log line. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
