import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { dnsLookup } from './dns.lookup.js';
import { LookupLimiter } from './lookup.limiter.js';

/** Concurrent lookups of configured hosts: as many as libuv runs at a time, so that waiting happens here. */
const maxTrustedLookups = 2;
/** Concurrent lookups of hosts that untrusted input names. */
const maxUntrustedLookups = 64;

/** Resolves hosts to addresses; replaced in tests. */
export abstract class Resolver {
  /** Looks up hosts that the operator configured. */
  abstract readonly lookup: LookupFunction;

  /** Looks up hosts that clients or upstreams name, with resources of its own. */
  readonly untrustedLookup: LookupFunction = (hostname, options, callback) => this.lookup(hostname, options, callback);
}

export class SystemResolver extends Resolver {
  /** The name services of the system, with search domains. */
  readonly lookup: LookupFunction = new LookupLimiter(systemLookup, maxTrustedLookups).lookup;
  override readonly untrustedLookup: LookupFunction;

  /** @param servers DNS servers for untrusted hosts instead of the system's, for tests. */
  constructor(servers?: readonly string[]) {
    super();
    this.untrustedLookup = new LookupLimiter(dnsLookup(servers), maxUntrustedLookups).lookup;
  }
}
