import http from 'node:http';
import https from 'node:https';
import { getProxyForUrl } from 'proxy-from-env';
import { rootCertificates } from 'node:tls';
import { receiveIntoOneBuffer } from '../../config/receiving.js';
import { checkLiteralHost, guardedLookup } from './address.guard.js';
import { type Resolver } from './resolver.js';
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

const pools = (options: https.AgentOptions): Pools => ({
  http: receiveIntoOneBuffer(new http.Agent({ ...common, ...options })),
  https: receiveIntoOneBuffer(new https.Agent({ ...common, ...options })),
});

/** Connection pools: unconfigured upstreams share one that only reaches public addresses; each configured one has its own. */
export class Agents {
  private readonly unconfigured: Pools;
  /** For connections to the operator's proxy, which may be at a private address. */
  private readonly proxied: Pools;
  private readonly trusted = new Map<Upstream, Pools>();

  constructor(private readonly resolver: Resolver) {
    this.unconfigured = pools({ lookup: guardedLookup(resolver.untrustedLookup) });
    this.proxied = pools({ lookup: resolver.lookup });
  }

  /** @throws AddressError when the host is an untrusted IP literal that is not public. */
  for(url: URL, upstream: Upstream): http.Agent {
    return url.protocol === 'https:' ? this.poolsFor(url, upstream).https : this.poolsFor(url, upstream).http;
  }

  close(): void {
    for (const pair of [this.unconfigured, this.proxied, ...this.trusted.values()]) {
      pair.http.destroy();
      pair.https.destroy();
    }
  }

  private poolsFor(url: URL, upstream: Upstream): Pools {
    if (upstream.trusts(url)) return this.poolsOf(upstream);
    checkLiteralHost(url.hostname);
    return getProxyForUrl(url.href) === '' ? this.unconfigured : this.proxied;
  }

  private poolsOf(upstream: Upstream): Pools {
    const known = this.trusted.get(upstream);
    if (known) return known;
    const { settings, certificateAuthorities } = upstream;
    const made = pools({
      lookup: this.resolver.lookup,
      rejectUnauthorized: !settings.acceptInvalidCerts,
      ...(certificateAuthorities !== undefined && { ca: [...rootCertificates, certificateAuthorities] }),
    });
    this.trusted.set(upstream, made);
    return made;
  }
}
