import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import tls from 'node:tls';
import { findProxyError } from '../../config/proxy/proxy-error.js';
import { ProxyingHttpAgent, proxyingHttpsAgent } from '../../config/proxy/proxying.agents.js';
import { parseRetryAfter } from '../../config/transport/retry-after.js';
import { describeTlsFailure, tlsFailureOf } from '../../config/transport/tls-failure.js';
import { version } from '../../config/version.js';
import type { WebhookSettings } from '../../config/webhooks/webhook.settings.js';
import type { Message } from '../formats/format.js';

/** Bytes of a response that are read, so that its connection can be used again. */
const largestResponse = 64 * 1024;
/** Longest Retry-After in seconds that counts. */
const longestPause = 900;

/** What became of a request. */
export type PostResult =
  | { readonly isDelivered: true }
  | {
      readonly isDelivered: false;
      /** For the log, without the URL, which may contain a secret. */
      readonly reason: string;
      /** Seconds that the other side wants to be left alone. */
      readonly retryAfter?: number | undefined;
    };

/** Sends messages to one URL. */
export class Poster {
  private readonly agent: http.Agent;
  private readonly url: URL;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    private readonly settings: WebhookSettings,
    connections: number,
  ) {
    const { url, headers, token, certificateAuthorities: own, acceptInvalidCerts } = settings;
    this.url = new URL(url);
    const options = { keepAlive: true, maxSockets: connections, timeout: 55_000, autoSelectFamily: true };
    const ca = own === undefined ? {} : { ca: [...tls.rootCertificates, own] };
    const isSecure = this.url.protocol === 'https:';
    this.agent = isSecure
      ? proxyingHttpsAgent({ ...options, rejectUnauthorized: !acceptInvalidCerts, ...ca })
      : new ProxyingHttpAgent(options);
    const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()]);
    this.headers = {
      'user-agent': `oci-registry/${version}`,
      ...(Object.fromEntries(revealed) as Record<string, string>),
      ...(token && { authorization: `Bearer ${token.reveal()}` }),
    };
  }

  /** Never rejects. Redirects are not followed: a secret would go to another place. */
  async post({ contentType, body }: Message, stopped: AbortSignal): Promise<PostResult> {
    const deadline = AbortSignal.timeout(this.settings.timeout);
    const signal = AbortSignal.any([stopped, deadline]);
    try {
      const response = await this.send(contentType, Buffer.from(body), signal);
      const result = resultOf(response);
      await discard(response);
      return result;
    } catch (error) {
      return { isDelivered: false, reason: deadline.aborted ? 'no response in time' : reasonOf(error) };
    }
  }

  close(): void {
    this.agent.destroy();
  }

  /** Closes idle connections, and those in use when their requests have ended. */
  retire(): void {
    this.agent.maxFreeSockets = 0;
    for (const socket of Object.values(this.agent.freeSockets).flat()) socket?.destroy();
  }

  private async send(contentType: string, body: Buffer, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { agent, headers, url } = this;
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      agent,
      signal,
      headers: { ...headers, 'content-type': contentType, 'content-length': body.length },
    });
    // One that comes after the response is of no interest any more.
    request.on('error', () => undefined);
    const responded = once(request, 'response', { signal }) as Promise<[http.IncomingMessage]>;
    request.end(body);
    const [response] = await responded;
    return response;
  }
}

function resultOf({ statusCode = 0, headers }: http.IncomingMessage): PostResult {
  if (statusCode >= 200 && statusCode < 300) return { isDelivered: true };
  return { isDelivered: false, reason: `status ${statusCode}`, retryAfter: retryAfterOf(headers['retry-after']) };
}

function retryAfterOf(header: string | undefined): number | undefined {
  const seconds = parseRetryAfter(header, Date.now());
  return seconds === undefined || seconds === 0 ? undefined : Math.min(seconds, longestPause);
}

/** The status has decided; what follows is read to a limit and ignored, cut or not. */
async function discard(response: http.IncomingMessage): Promise<void> {
  let received = 0;
  try {
    for await (const chunk of response) {
      received += (chunk as Buffer).length;
      if (received > largestResponse) break;
    }
  } catch {
    // The connection is of no use any more, and closed.
  }
}

function reasonOf(error: unknown): string {
  const proxy = findProxyError(error);
  if (proxy) return proxy.message;
  const failure = tlsFailureOf(error);
  if (failure) return describeTlsFailure(failure);
  return `connection failed (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`;
}
