import { findProxyError } from '../../../config/proxy/proxy-error.js';
import { explainTlsFailure, type TlsRemedies } from '../../../config/transport/tls-failure.js';
import { StorageError } from '../../storage-error.js';

interface Refusal {
  readonly name: string;
  readonly $metadata: { readonly httpStatusCode?: number };
}

function isRefusal(error: unknown): error is Error & Refusal {
  return error instanceof Error && '$metadata' in error && typeof error.$metadata === 'object';
}

/** The status of a response from S3; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return isRefusal(error) ? error.$metadata.httpStatusCode : undefined;
}

const remedies: TlsRemedies = {
  trust: 'set NODE_EXTRA_CA_CERTS to its PEM file',
  plain: 'write http:// before the host in --host or S3_HOST, without which https is assumed',
  rename: 'give --host or S3_HOST a name that it contains',
};

/** What is wrong with the TLS connection to the bucket, and what mends it; undefined when that is not the reason. */
export function tlsReasonOf(error: unknown): string | undefined {
  return explainTlsFailure(error, remedies);
}

/** What to do when the server may not speak TLS, or may speak nothing else. */
export function schemeHint(host: string): string {
  if (host.startsWith('https://')) return `if it speaks plain http, ${remedies.plain}`;
  return 'if it expects TLS, write https:// before the host in --host or S3_HOST';
}

/** The error code of S3 or the system, what is wrong with TLS, or what a proxy did: without any part of the request. */
export function codeOf(error: unknown): string {
  const proxyError = findProxyError(error);
  if (proxyError) return proxyError.message;
  const tlsReason = tlsReasonOf(error);
  if (tlsReason !== undefined) return tlsReason;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const text = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    if (/^E[A-Z0-9_]+$/.test(text) || text.startsWith('CERT_') || text.includes('CERT')) return text;
    if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
    if (isRefusal(cause) && /^[A-Za-z0-9.]{1,64}$/.test(cause.name) && cause.name !== 'Error') {
      const status = statusOf(cause);
      return /^(Unknown|UnknownError|[0-9]+)$/.test(cause.name) && status !== undefined
        ? `status ${status}`
        : cause.name;
    }
    if (cause.cause === undefined && /^[A-Za-z]{1,64}Error$/.test(cause.name)) return cause.name;
  }
  return 'unknown error';
}

/**
 * Whether S3 itself reports that a key does not exist. A bare 404 counts only after HEAD, whose responses have no body:
 * any proxy may send one.
 */
export function isAbsent(error: unknown, isHead = false): boolean {
  if (!isRefusal(error)) return false;
  return (
    error.name === 'NoSuchKey' || (isHead && error.$metadata.httpStatusCode === 404 && error.name !== 'NoSuchBucket')
  );
}

/** Whether a retry would be pointless. */
export function isRefused(error: unknown): boolean {
  if (error instanceof StorageError) return true;
  const status = statusOf(error) ?? 500;
  // 409: others write or delete at the same moment, which passes.
  if (status < 400 || status >= 500 || [408, 409, 429].includes(status)) return false;
  // A slow connection, and a clock that the client has learnt to correct.
  return !(error instanceof Error && /^RequestTime/.test(error.name));
}

/**
 * Whether the bucket or the network has failed: no response, or a server error. A request aborted for any reason but a
 * timeout proves nothing.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof StorageError) return false;
  if (error instanceof Error && error.name === 'AbortError') {
    return error.cause instanceof Error && ['StalledError', 'TimeoutError'].includes(error.cause.name);
  }
  const status = statusOf(error);
  // 501: the server works but does not implement this request.
  return status === undefined || (status >= 500 && status !== 501);
}

/** Whether there was a response. */
export function isResponse(error: unknown): boolean {
  return statusOf(error) !== undefined;
}

/** A condition of the request did not hold. */
export function isConditionFailed(error: unknown): boolean {
  return statusOf(error) === 412 || (error instanceof Error && error.name === 'PreconditionFailed');
}

/** The error without request and response, which hold signatures, keys and sockets. */
export function bareCause(error: unknown): Error {
  const status = statusOf(error);
  return new Error(`S3 request failed: ${codeOf(error)}${status === undefined ? '' : ` with status ${status}`}`);
}

/** The message names the attempt and the code; never the key, the endpoint or credentials. */
export function toStorageError(error: unknown, attempt: string): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError('failed', `the storage could not ${attempt} (${codeOf(error)})`, bareCause(error));
}

/** Whether a deadline of ours ended the request. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name) && !('code' in error);
}
