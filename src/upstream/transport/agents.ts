import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import { proxyOf, type Proxy } from '../../config/proxy/proxy.js';
import { ProxyingHttpAgent, proxyingHttpsAgent } from '../../config/proxy/proxying.agents.js';
import { receiveIntoOneBuffer } from '../../config/receiving/one-buffer.js';
import { AddressError, checkLiteralHost, guardedLookup } from './address.guard.js';
import { LookupLimitError } from './lookup.limiter.js';
import type { Resolver } from './resolver.js';
import type { Upstream } from '../upstream.js';

/**
 * Connections per origin, the maximum of `max_connections`. Requests queue before this, where the queue is fair and
 * waiting counts neither against a deadline nor against the upstream.
 */
const maxConnections = 1_000;
const maxIdleConnections = 16;

const common = {
  keepAlive: true,
  maxSockets: maxConnections,
  maxFreeSockets: maxIdleConnections,
  // Closes idle connections before common load balancers silently drop them.
  timeout: 55_000,
  scheduling: 'lifo',
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: 1_000,
} as const;

interface Pools {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/** @param decide chooses the proxy of a URL. */
const pools = (options: https.AgentOptions, decide: (url: URL) => Proxy | undefined): Pools => ({
  http: receiveIntoOneBuffer(new ProxyingHttpAgent({ ...common, ...options }, decide)),
  https: receiveIntoOneBuffer(proxyingHttpsAgent({ ...common, ...options }, decide)),
});

const directly = () => undefined;

/** Agents that check no addresses must not connect directly if the environment changes meanwhile. */
function throughProxy(url: URL): Proxy {
  const proxy = proxyOf(url);
  if (!proxy) throw new AddressError('there is no proxy for the host any more');
  return proxy;
}

/** Connection pools: unconfigured upstreams share one that only reaches public addresses; each configured one has its own. */
export class Agents {
  private unconfigured: Pools | undefined;
  /** For connections to the operator's proxy, which may be at a private address. */
  private proxied: Pools | undefined;
  private readonly trusted = new Map<Upstream, Pools>();
  /** Of upstreams that are out of use: what runs may still need them. */
  private readonly retired = new WeakSet<Upstream>();

  private readonly guarded: LookupFunction;

  constructor(private readonly resolver: Resolver) {
    this.guarded = guardedLookup(resolver.untrustedLookup);
  }

  /** @throws AddressError when the host must not be contacted; with the code of a lookup error when that cannot be told */
  async select(url: URL, upstream: Upstream): Promise<http.Agent> {
    const selected = await this.poolsFor(url, upstream);
    return url.protocol === 'https:' ? selected.https : selected.http;
  }

  /**
   * Closes the idle connections of an upstream that is out of use, and those in use when they become idle. What was begun
   * with it may still open others.
   */
  retire(upstream: Upstream): void {
    this.retired.add(upstream);
    const pair = this.trusted.get(upstream);
    if (pair) retirePools(pair);
    for (const [other, { http: plain, https: secure }] of this.trusted)
      if (this.retired.has(other) && [plain, secure].every(isUnused)) this.trusted.delete(other);
  }

  close(): void {
    for (const pair of [this.unconfigured, this.proxied, ...this.trusted.values()]) {
      pair?.http.destroy();
      pair?.https.destroy();
    }
  }

  private async poolsFor(url: URL, upstream: Upstream): Promise<Pools> {
    if (upstream.trusts(url)) return this.poolsOf(upstream);
    checkLiteralHost(url.hostname);
    if (!proxyOf(url)) return (this.unconfigured ??= pools({ lookup: this.guarded }, directly));
    await this.checkProxied(url, upstream);
    return (this.proxied ??= pools({ lookup: this.resolver.lookup }, throughProxy));
  }

  /** The proxy connects to addresses that cannot be seen here, so other sites must resolve to public ones here. */
  private async checkProxied(url: URL, upstream: Upstream): Promise<void> {
    // The public suffix list is large, and only needed here and for credentials.
    const { isSameSite } = await import('../sign-in/realm.js');
    if (isSameSite(upstream, url) || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return;
    await new Promise<void>((resolve, reject) => {
      this.guarded(url.hostname, { all: true }, (error) => {
        if (!error) resolve();
        // A name that cannot be resolved here, for whatever reason, is not known to be public.
        else if (error instanceof AddressError || error instanceof LookupLimitError) reject(error);
        else reject(Object.assign(new Error('not resolved'), { code: 'ENOTFOUND' }));
      });
    });
  }

  private poolsOf(upstream: Upstream): Pools {
    const known = this.trusted.get(upstream);
    if (known) return known;
    const { settings, certificateAuthorities } = upstream;
    const ca = certificateAuthorities === undefined ? {} : { ca: [...tls.rootCertificates, certificateAuthorities] };
    const rejectUnauthorized = !settings.acceptInvalidCerts;
    const made = pools({ lookup: this.resolver.lookup, rejectUnauthorized, ...ca }, proxyOf);
    if (this.retired.has(upstream)) retirePools(made);
    this.trusted.set(upstream, made);
    return made;
  }
}

function retirePools({ http: plain, https: secure }: Pools): void {
  for (const agent of [plain, secure]) {
    agent.maxFreeSockets = 0;
    for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
  }
}

function isUnused({ sockets, requests }: http.Agent): boolean {
  return [...Object.values(sockets), ...Object.values(requests)].every((list) => (list?.length ?? 0) === 0);
}
