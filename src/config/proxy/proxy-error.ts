import type { IncomingHttpHeaders } from 'node:http';
import type { Proxy } from './proxy.js';

/** A proxy did not pass a request on. The message names the proxy, never the host that was wanted or credentials. */
export class ProxyError extends Error {
  override readonly name: string = 'ProxyError';

  /** @param code of the system, or `ERR_PROXY` for a response of the proxy. */
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }

  get isTimeout(): boolean {
    return this.code === 'ETIMEDOUT';
  }
}

/** The proxy error in the chain of causes. */
export function findProxyError(error: unknown): ProxyError | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProxyError) return cause;
  }
  return undefined;
}

/** For a connection to the proxy that failed. */
export function connectionError({ host }: Proxy, error: unknown): ProxyError {
  const code = codeOf(error);
  const reasons: Readonly<Record<string, string>> = {
    ETIMEDOUT: 'does not respond',
    ENOTFOUND: 'cannot be resolved',
    ECONNRESET: 'closed the connection',
  };
  return new ProxyError(`the proxy ${host} ${reasons[code] ?? `cannot be reached (${code})`}`, code);
}

/** For a status with which the proxy refused. */
export function refusal({ host, authorization, variable }: Proxy, status: number): ProxyError {
  const text = () => {
    if (status !== 407) return `the proxy ${host} responded with ${status}`;
    if (authorization) return `the proxy ${host} does not accept the credentials in ${variable} (407)`;
    return `the proxy ${host} requires credentials, and ${variable} has none (407)`;
  };
  return new ProxyError(text(), 'ERR_PROXY');
}

/** Statuses of pages that proxies make themselves. */
const ownStatuses = new Set([403, 500, 502, 503, 504]);
const knownServers = /^(squid|tinyproxy|privoxy|mitmproxy|cntlm|apache traffic server|ats)\b/i;

/**
 * For a response to a plain-http request that the proxy made itself, as far as that shows: 407 is always of a proxy; a
 * Proxy-Status with an error (RFC 9209), Squid's error header and the Server names of proxies are signs.
 */
export function refusalIn(proxy: Proxy, status: number, headers: IncomingHttpHeaders): ProxyError | undefined {
  if (status === 407) return refusal(proxy, status);
  const isRegistry =
    headers['docker-distribution-api-version'] !== undefined || headers['x-amz-request-id'] !== undefined;
  if (!ownStatuses.has(status) || isRegistry) return undefined;
  const isOwn =
    headers['x-squid-error'] !== undefined ||
    /;\s*error=/.test(String(headers['proxy-status'] ?? '')) ||
    knownServers.test(String(headers.server ?? ''));
  return isOwn ? refusal(proxy, status) : undefined;
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && error.name === 'AbortError') return codeOf(error.cause);
  if (error instanceof Error && error.name === 'TimeoutError') return 'ETIMEDOUT';
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'connection failed';
}
