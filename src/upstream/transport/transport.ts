import type { AxiosResponse } from 'axios';
import http, {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import { findProxyError, refusalIn } from '../../config/proxy/proxy-error.js';
import { proxyOf } from '../../config/proxy/proxy.js';
import { explainTlsFailure, mayExpectTls } from '../../config/transport/tls-failure.js';
import { AddressError } from './address.guard.js';
import { Deadline } from './deadline.js';
import { longestLookup } from './lookup.limiter.js';
import { LocalLimitError, TlsError, UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';
import { tlsHint, tlsRemedies } from './tls-remedies.js';

/** Milliseconds to connect, including TLS. */
export const connectDeadline = 5_000;
/** Milliseconds from the request to the status line, unless the caller has less time. */
export const headDeadline = 15_000;

/** Errors that are caused by limits of this process or machine. */
const localLimits: ReadonlySet<string> = new Set([
  'ERR_LOOKUP_LIMIT',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EAI_MEMORY',
]);

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a POST. */
  readonly content?: string | undefined;
  readonly agent: http.Agent;
  /** Milliseconds until the status line must have arrived. */
  readonly deadline: number;
  /** Whether the agent connects directly, whatever proxies the environment names. */
  readonly isDirect?: boolean;
  /** Aborts before the deadline, with the same error. */
  readonly signal?: AbortSignal | undefined;
}

/** A response whose body has not been read. The caller reads or destroys `body`. */
export interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
  /** Host that responded, for messages. */
  readonly host: string;
}

/**
 * Sends one request and returns the response, whatever its status, without redirects or decoding. When an idle
 * connection turns out to be closed, the request is retried once.
 * @throws UpstreamError `unavailable`, `unresolved`, `timeout`, `wrong`, or `refused` by the address guard.
 */
export async function exchange(request: ExchangeRequest): Promise<Exchange> {
  const first = await attempt(request);
  if ('failure' in first && first.isStaleConnection) return take(await attempt(request));
  return take(first);
}

type Attempt = Exchange | { readonly failure: UpstreamError; readonly isStaleConnection: boolean };

function take(attempted: Attempt): Exchange {
  if ('failure' in attempted) throw attempted.failure;
  return attempted;
}

async function attempt(request: ExchangeRequest): Promise<Attempt> {
  const { method, url, headers, content, agent, deadline, isDirect = false, signal } = request;
  const proxy = isDirect ? undefined : proxyOf(url);
  const host = proxy ? `${url.host} through the proxy ${proxy.host}` : url.host;
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  const timer = new Deadline(deadline, abort);
  signal?.addEventListener('abort', abort, { once: true });
  let sent: ClientRequest | undefined;
  const transport = {
    request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
      sent = (url.protocol === 'https:' ? https : http).request(options, onResponse);
      limitConnecting(sent, options, () => timer.restart());
      return sent;
    },
  };
  try {
    // Loaded with the first request, because it accounts for a tenth of the idle memory.
    const { default: axios } = await import('axios');
    const response: AxiosResponse<IncomingMessage> = await axios.request<IncomingMessage>({
      adapter: 'http',
      method,
      url: url.href,
      headers: { ...headers },
      ...(content !== undefined && { data: content }),
      transport,
      httpAgent: agent,
      httpsAgent: agent,
      // The agent chooses the proxy.
      proxy: false,
      maxRedirects: 0,
      decompress: false,
      responseType: 'stream',
      validateStatus: () => true,
      // Any limit, even Infinity, would insert a stream before the body.
      maxContentLength: -1,
      signal: aborter.signal,
    });
    const body = response.data;
    // Without a listener, the error of a destroyed body would end the process.
    body.on('error', () => undefined);
    const { status } = response;
    if (!proxy || url.protocol === 'https:') return { status, headers: body.headers, body, host: url.host };
    const error = refusalIn(proxy, status, body.headers);
    if (error) {
      body.destroy();
      return { failure: toUpstreamError(error, url.host), isStaleConnection: false };
    }
    return { status, headers: body.headers, body, host: status >= 500 ? host : url.host };
  } catch (error) {
    const isStaleConnection = codeOf(error) === 'ECONNRESET' && sent?.reusedSocket === true && !aborter.signal.aborted;
    const where = findProxyError(error) ? url.host : host;
    const failure = toUpstreamError(error, where, aborter.signal.aborted);
    const isRefusedPlain = url.protocol === 'http:' && !proxy && sent?.reusedSocket !== true && mayExpectTls(error);
    return { failure: isRefusedPlain ? withTlsHint(failure) : failure, isStaleConnection };
  } finally {
    timer.end();
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * An unresponsive host must not use up the whole response deadline. A lookup has a deadline of its own and may wait for a
 * slot first, so the time to connect begins after it.
 * @param onLookup called when the lookup has ended.
 */
function limitConnecting(request: ClientRequest, options: RequestOptions, onLookup: () => void): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const error = () => Object.assign(new Error('connecting took too long'), { code: 'ETIMEDOUT' });
    const expire = () => void socket.destroy(error());
    const isNamed = isIP(String(options.hostname ?? options.host).replace(/^\[|\]$/g, '')) === 0;
    let timer = new Deadline(connectDeadline + (isNamed ? longestLookup : 0), expire);
    const stop = () => timer.end();
    socket.once('lookup', () => {
      timer.end();
      timer = new Deadline(connectDeadline, expire);
      onLookup();
    });
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', stop);
    socket.once('close', stop);
  });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}

function withTlsHint({ kind, message }: UpstreamError): UpstreamError {
  return new UpstreamError(kind, `${message}; ${tlsHint}`);
}

/** The error for a failed connection or lookup. */
export function toUpstreamError(error: unknown, host: string, timedOut = false): UpstreamError {
  const code = codeOf(error);
  const because = (kind: UpstreamErrorKind, message: string) => new UpstreamError(kind, message, undefined, { host });
  if (timedOut) return because('timeout', `${host} did not respond in time`);
  if (code === new AddressError().code) return because('refused', `${host} is not at a public address`);
  if (code !== undefined && localLimits.has(code))
    return new LocalLimitError(`${host} was not contacted: this server is at a limit (${code})`);
  const proxyError = findProxyError(error);
  if (proxyError)
    return because(
      proxyError.isTimeout ? 'timeout' : 'unavailable',
      `${host} cannot be reached: ${proxyError.message}`,
    );
  const tlsReason = explainTlsFailure(error, tlsRemedies);
  if (tlsReason !== undefined) return new TlsError(`${host} cannot be reached: ${tlsReason}`, host);
  if (code === 'ETIMEOUT') return because('timeout', `${host} could not be resolved in time`);
  if (code === 'ENOTFOUND') return because('unresolved', `${host} cannot be resolved`);
  if (code?.startsWith('HPE_') === true) return because('wrong', `${host} violates HTTP (${code})`);
  if (code === 'ETIMEDOUT') return because('timeout', `connecting to ${host} took too long`);
  // No cause: axios errors contain the request with its Authorization header.
  return because('unavailable', `${host} cannot be reached (${code ?? 'connection failed'})`);
}
