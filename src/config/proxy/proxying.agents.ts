import { once } from 'node:events';
import http, { type AgentOptions, type ClientRequest, type ClientRequestArgs } from 'node:http';
import https from 'node:https';
import net, { isIP, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { connectionError, refusal } from './proxy-error.js';
import { proxyOf, type Proxy } from './proxy.js';

/** Milliseconds to connect to a proxy and through it. The S3 client gives up at the same time. */
const proxyDeadline = 5_000;

type Decide = (url: URL) => Proxy | undefined;
type Done = (error: Error | null, stream: Duplex) => void;

/** An agent for http that sends requests to the proxy that the environment names for their host. */
export class ProxyingHttpAgent extends http.Agent {
  private readonly closing = new AbortController();

  constructor(
    options: AgentOptions,
    private readonly decide: Decide = proxyOf,
  ) {
    super(options);
  }

  /** Called by Node with each request, before its head is written. */
  addRequest(request: ClientRequest, options: ProxiedArgs): void {
    const { origin, proxy } = decideFor('http:', options, this.decide);
    const add = (http.Agent.prototype as unknown as Pick<ProxyingHttpAgent, 'addRequest'>).addRequest;
    if (!proxy) {
      add.call(this, request, options);
      return;
    }
    // RFC 9112 §3.2.2: a proxy is sent the whole URL.
    request.path = `${origin}${request.path}`;
    if (proxy.authorization) request.setHeader('proxy-authorization', proxy.authorization.reveal());
    const { hostname: host, port } = proxy;
    add.call(this, request, { ...options, host, hostname: host, port, proxy });
  }

  override createConnection(options: ProxiedArgs, done: Done = ignore): Duplex | null | undefined {
    if (!options.proxy) return super.createConnection(options, done);
    deliver(connectToProxy(options.proxy, options, limit(this.closing)), done);
    return undefined;
  }

  override destroy(): void {
    this.closing.abort();
    super.destroy();
  }
}

let HttpsAgent: ReturnType<typeof defineHttpsAgent> | undefined;

/** An agent for https that connects through the proxy that the environment names for the host. */
export function proxyingHttpsAgent(options: https.AgentOptions, decide: Decide = proxyOf): https.Agent {
  HttpsAgent ??= defineHttpsAgent();
  return new HttpsAgent(options, decide);
}

/** Not at the top level, because the class that it extends loads TLS, which takes MiB of memory. */
function defineHttpsAgent() {
  return class ProxyingHttpsAgent extends https.Agent {
    private readonly closing = new AbortController();

    constructor(
      options: https.AgentOptions,
      private readonly decide: Decide,
    ) {
      super(options);
    }

    override createConnection(options: ProxiedArgs, done: Done = ignore): Duplex | null | undefined {
      const { origin, proxy } = decideFor('https:', options, this.decide);
      if (!proxy) return super.createConnection(options, done);
      deliver(openTunnel(proxy, new URL(origin), options, limit(this.closing)), done);
      return undefined;
    }

    override destroy(): void {
      this.closing.abort();
      super.destroy();
    }
  };
}

/** Options of Node's agents for one connection; `proxy` is ours. */
type ProxiedArgs = ClientRequestArgs & {
  readonly proxy?: Proxy;
  readonly servername?: string;
  onread?: net.OnReadOpts;
};

function ignore(): void {
  // A caller without a callback waits for the returned stream, which direct connections have.
}

function decideFor(protocol: string, { host, port }: ClientRequestArgs, decide: Decide) {
  const name = host ?? 'localhost';
  const url = new URL(`${protocol}//${isIP(name) === 6 ? `[${name}]` : name}:${port ?? ''}`);
  return { origin: url.origin, proxy: decide(url) };
}

function deliver(connecting: Promise<Duplex>, done: Done): void {
  connecting.then(
    (socket) => done(null, socket),
    // Node expects no stream with an error.
    (error: unknown) => (done as (error: unknown) => void)(error),
  );
}

function limit(closing: AbortController): AbortSignal {
  return AbortSignal.any([closing.signal, AbortSignal.timeout(proxyDeadline)]);
}

/** @throws ProxyError */
async function connectToProxy(proxy: Proxy, options: ProxiedArgs, signal: AbortSignal): Promise<Socket> {
  const { hostname: host, port, isSecure } = proxy;
  const { lookup, onread } = options;
  const target = { host, port, autoSelectFamily: true, ...(lookup && { lookup }) };
  // What concerns the certificate of the registry does not concern that of the proxy.
  const socket = isSecure
    ? tls.connect({ ...target, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 && { servername: host }) })
    : net.connect({ ...target, ...(onread && { onread }) });
  try {
    await once(socket, isSecure ? 'secureConnect' : 'connect', { signal });
    return socket;
  } catch (error) {
    throw abandon(socket, connectionError(proxy, error));
  }
}

/** A TLS connection to the host of a URL through the proxy. @throws ProxyError; errors of TLS with the host itself */
async function openTunnel(proxy: Proxy, url: URL, options: ProxiedArgs, signal: AbortSignal): Promise<Socket> {
  // The head of the proxy's response is read by a parser of its own.
  const secure: ProxiedArgs = { ...options };
  delete secure.onread;
  const socket = await connectToProxy(proxy, secure, signal);
  await requestTunnel(proxy, url, socket, signal);
  const tunnel = tls.connect({ ...(secure as tls.ConnectionOptions), socket });
  try {
    await once(tunnel, 'secureConnect', { signal });
    return tunnel;
  } catch (error) {
    throw abandon(tunnel, signal.aborted ? connectionError(proxy, error) : error);
  }
}

/** @throws ProxyError */
async function requestTunnel(proxy: Proxy, url: URL, socket: Socket, signal: AbortSignal): Promise<void> {
  const authority = `${url.hostname}:${Number(url.port) || 443}`;
  const { authorization } = proxy;
  const request = http.request({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(authorization && { 'proxy-authorization': authorization.reveal() }) },
    createConnection: () => socket,
  });
  request.on('error', () => undefined);
  let status: number | undefined;
  try {
    const connected = once(request, 'connect', { signal }) as Promise<[http.IncomingMessage]>;
    request.end();
    [{ statusCode: status }] = await connected;
  } catch (error) {
    throw abandon(socket, connectionError(proxy, error));
  }
  if (status === undefined || status < 200 || status > 299) throw abandon(socket, refusal(proxy, status ?? 0));
}

function abandon(socket: Socket, error: unknown): unknown {
  socket.on('error', () => undefined);
  socket.destroy();
  return error;
}
