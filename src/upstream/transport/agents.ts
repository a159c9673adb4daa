import http from 'node:http';
import https from 'node:https';
import { getProxyForUrl } from 'proxy-from-env';
import { rootCertificates } from 'node:tls';
import { receiveIntoOneBuffer } from '../../config/receiving.js';
import { checkLiteralHost, guardedLookup, type Resolver } from './address.guard.js';
import type { Upstream } from '../upstream.js';

/**
 * Connections to one origin: the most that `max_connections` may allow. Who waits is decided before, where waiting is fair
 * and counts neither against a deadline nor against the upstream.
 */
const maxConnections = 1_000;
const maxIdleConnections = 16;

const common = {
  keepAlive: true,
  maxSockets: maxConnections,
  maxFreeSockets: maxIdleConnections,
  // Idle connections are closed before the usual balancers drop them without a word.
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

/** Connection pools: strangers share a pair that only reaches public addresses; each configured upstream has its own. */
export class Agents {
  private readonly unconfigured: Pools;
  /** For connections to the operator's proxy, which connects to the rest; its address is the operator's business. */
  private readonly proxied: Pools;
  private readonly trusted = new Map<Upstream, Pools>();

  constructor(private readonly resolver: Resolver) {
    this.unconfigured = pools({ lookup: guardedLookup(resolver.lookup) });
    this.proxied = pools({ lookup: resolver.lookup });
  }

  /** @throws AddressError when the host is written as an address that is not public and nobody vouches for it. */
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
    const { settings, authorities } = upstream;
    const made = pools({
      lookup: this.resolver.lookup,
      rejectUnauthorized: !settings.acceptInvalidCerts,
      ...(authorities !== undefined && { ca: [...rootCertificates, authorities] }),
    });
    this.trusted.set(upstream, made);
    return made;
  }
}
