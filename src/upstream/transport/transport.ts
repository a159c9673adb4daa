import type { AxiosProxyConfig, AxiosResponse } from 'axios';
import http, {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import https from 'node:https';
import { getProxyForUrl } from 'proxy-from-env';
import { AddressError } from './address.guard.js';
import { UpstreamError } from '../upstream-error.js';

/** Milliseconds to get a connection, TLS included. */
export const connectDeadline = 5_000;
/** Milliseconds from the request to the status line, unless a caller has less time. */
export const headDeadline = 15_000;

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: http.Agent;
  /** Milliseconds until the status line has to be there. */
  readonly deadline: number;
  /** Connects to the host itself, whatever proxies the environment names. */
  readonly isDirect?: boolean;
  /** Gives up before the deadline; the error is the deadline's. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body has not been read. Whoever has it reads or destroys `body`. */
export interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
  /** Host that answered, for messages. */
  readonly host: string;
}

/**
 * One request and its answer's head: no redirects, no decoding, no status that is an error. A connection that the
 * upstream closed while it was idle is replaced once, silently.
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
  const { method, url, headers, agent, deadline, isDirect = false, signal } = request;
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  const timer = setTimeout(abort, deadline);
  signal?.addEventListener('abort', abort, { once: true });
  let sent: ClientRequest | undefined;
  const transport = {
    request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
      sent = (url.protocol === 'https:' ? https : http).request(options, onResponse);
      limitConnecting(sent);
      return sent;
    },
  };
  try {
    // Loaded with the first request: it brings a tenth of what the process needs at rest.
    const { default: axios } = await import('axios');
    const response: AxiosResponse<IncomingMessage> = await axios.request<IncomingMessage>({
      adapter: 'http',
      method,
      url: url.href,
      headers: { ...headers },
      transport,
      httpAgent: agent,
      httpsAgent: agent,
      proxy: isDirect ? false : proxyFor(url),
      maxRedirects: 0,
      decompress: false,
      responseType: 'stream',
      validateStatus: () => true,
      // Any limit, Infinity too, would put another stream in front of the body.
      maxContentLength: -1,
      signal: aborter.signal,
    });
    const body = response.data;
    // Whoever destroys the body knows why; without a listener its error would end the process.
    body.on('error', () => undefined);
    return { status: response.status, headers: body.headers, body, host: url.host };
  } catch (error) {
    const isStaleConnection = codeOf(error) === 'ECONNRESET' && sent?.reusedSocket === true && !aborter.signal.aborted;
    return { failure: toUpstreamError(error, url.host, aborter.signal.aborted), isStaleConnection };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * What `Agents` went by, too: axios reads NO_PROXY in another way, and would connect directly, past the address guard,
 * where the agent was chosen for the proxy.
 */
function proxyFor(url: URL): AxiosProxyConfig | false {
  const address = getProxyForUrl(url.href);
  if (address === '') return false;
  const { protocol, hostname, port, username, password } = new URL(address);
  const auth = { username: decode(username), password: decode(password) };
  const usualPort = protocol === 'https:' ? 443 : 80;
  return { protocol, host: hostname, port: Number(port) || usualPort, ...(username !== '' && { auth }) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A host that swallows packets must not cost the whole deadline of the answer. */
function limitConnecting(request: ClientRequest): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error('connecting took too long'), { code: 'ETIMEDOUT' })),
      connectDeadline,
    );
    const stop = () => clearTimeout(timer);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', stop);
    socket.once('close', stop);
  });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}

function toUpstreamError(error: unknown, host: string, timedOut: boolean): UpstreamError {
  const code = codeOf(error);
  if (timedOut) return new UpstreamError('timeout', `${host} did not answer in time`);
  if (code === new AddressError().code) return new UpstreamError('refused', `${host} is not at a public address`);
  if (code === 'ENOTFOUND') return new UpstreamError('unresolved', `${host} cannot be resolved`);
  if (code?.startsWith('HPE_') === true) return new UpstreamError('wrong', `${host} does not keep to HTTP (${code})`);
  if (code === 'ETIMEDOUT') return new UpstreamError('timeout', `${host} cannot be reached in time`);
  // The cause is left out: axios' errors carry the request with its Authorization header.
  return new UpstreamError('unavailable', `${host} cannot be reached (${code ?? 'connection failed'})`);
}
