import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { refusalIn } from '../../config/proxy/proxy-error.js';
import { proxyOf } from '../../config/proxy/proxy.js';
import { ProxyingHttpAgent, proxyingHttpsAgent } from '../../config/proxy/proxying.agents.js';
import { explainTlsFailure, type TlsRemedies } from '../../config/transport/tls-failure.js';
import { version } from '../../config/version.js';
import { CredentialError } from './credential.source.js';
import { toUpstreamError } from '../transport/transport.js';

/** Milliseconds from the request to the end of its response, unless the request has a shorter deadline. */
const longest = 10_000;
/** Bytes of a response. The responses that are needed have a few KiB. */
const maxBytes = 256 * 1024;

const remedies: TlsRemedies = {
  trust: 'set NODE_EXTRA_CA_CERTS to the PEM file of the CA',
  plain: 'correct the scheme of the URL',
  rename: 'use a name that the certificate contains',
};

/** One request to an endpoint of a cloud. Its URL comes from the operator or is built in, never from a registry. */
export interface CloudRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the wait before the deadline. */
  readonly signal: AbortSignal;
  /** Milliseconds until the response must be complete, 10,000 at most. */
  readonly deadline?: number;
  /** For a metadata service, which only this machine can reach: never through a proxy. */
  readonly isMetadata?: boolean;
}

/** A complete response, whatever its status. `text` may contain secrets: it belongs in no message. */
export interface CloudResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** No complete response was received. The message names the host and the reason, and contains no secret. */
export class CloudError extends CredentialError {
  /**
   * @param isTimeout whether nothing, or not everything, was received in time.
   * @param mayPass whether the same request may succeed in a moment.
   */
  constructor(
    message: string,
    readonly isTimeout = false,
    readonly mayPass = !isTimeout,
  ) {
    super(message);
  }
}

/**
 * Sends requests to endpoints of clouds: through the proxies of the environment, without redirects, with a limit of
 * 256 KiB to a response. Requests are hours apart, so connections are not kept.
 */
export class CloudClient {
  private readonly proxied: Readonly<Record<string, http.Agent>>;
  private readonly direct: Readonly<Record<string, http.Agent>>;

  /** @param ca additional CAs to trust, in PEM. */
  constructor(ca?: string) {
    const options = { keepAlive: false, autoSelectFamily: true };
    const secure = { ...options, ...(ca !== undefined && { ca: [...tls.rootCertificates, ca] }) };
    this.proxied = { 'http:': new ProxyingHttpAgent(options), 'https:': proxyingHttpsAgent(secure) };
    this.direct = { 'http:': new http.Agent(options), 'https:': new https.Agent(secure) };
  }

  /** @throws CloudError when no complete response was received, also when `signal` aborts */
  async send(request: CloudRequest): Promise<CloudResponse> {
    const { url, deadline = longest } = request;
    const limit = AbortSignal.timeout(Math.min(deadline, longest));
    const signal = AbortSignal.any([request.signal, limit]);
    try {
      const response = await this.open(request, signal);
      const { statusCode: status = 0, headers } = response;
      const text = await read(response, url.host);
      this.checkProxy(request, status, headers);
      return { status, headers, text };
    } catch (error) {
      // Also keeps both signals from being collected, after which they would never abort.
      throw describe(error, url.host, limit.aborted || request.signal.aborted);
    }
  }

  private async open(request: CloudRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { method, url, headers, body, isMetadata = false } = request;
    signal.throwIfAborted();
    const sent = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      agent: (isMetadata ? this.direct : this.proxied)[url.protocol],
      signal,
      headers: {
        'user-agent': `oci-registry/${version}`,
        ...headers,
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
    });
    // One that comes after the response also ends the body, where it is noticed.
    sent.on('error', () => undefined);
    const responded = once(sent, 'response', { signal }) as Promise<[IncomingMessage]>;
    sent.end(body);
    const [response] = await responded;
    return response;
  }

  /** A proxy answers plain http itself when it does not pass a request on. */
  private checkProxy({ url, isMetadata = false }: CloudRequest, status: number, headers: IncomingHttpHeaders): void {
    const proxy = isMetadata || url.protocol !== 'http:' ? undefined : proxyOf(url);
    const refusal = proxy && refusalIn(proxy, status, headers);
    if (refusal) throw refusal;
  }
}

async function read(response: IncomingMessage, host: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new CloudError(`the response of ${host} exceeds ${maxBytes} bytes`, false, false);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}

/** No cause: errors of requests contain their headers. */
function describe(error: unknown, host: string, isLate: boolean): CloudError {
  if (error instanceof CloudError) return error;
  if (isLate) return new CloudError(`${host} did not respond in time`, true);
  const tls = explainTlsFailure(error, remedies);
  if (tls !== undefined) return new CloudError(`${host} cannot be reached: ${tls}`, false, false);
  const { kind, message } = toUpstreamError(error, host);
  return new CloudError(message, kind === 'timeout');
}
