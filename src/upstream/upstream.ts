import { readFileSync } from 'node:fs';
import type { UpstreamSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';

/** A registry that is mirrored: where it is and what it may be told. */
export class Upstream {
  readonly namespace: Namespace;
  /** `https://host` or `http://host`, of the registry itself. */
  readonly base: URL;
  /** Certificates to trust besides the usual ones, PEM. */
  readonly authorities: string | undefined;
  private readonly trusted: ReadonlySet<string>;
  private readonly realms: ReadonlySet<string>;

  /** @param isConfigured an operator named it: its host may be at a private address. */
  constructor(
    readonly settings: Readonly<UpstreamSettings>,
    readonly isConfigured: boolean,
  ) {
    this.namespace = Namespace.parse(settings.namespace);
    this.base = new URL(`${settings.tls ? 'https' : 'http'}://${settings.host}`);
    this.authorities = settings.caFile === undefined ? undefined : readFileSync(settings.caFile, 'utf8');
    this.realms = new Set(settings.tokenRealms.map(hostnameOf));
    this.trusted = isConfigured
      ? new Set([this.base.hostname, ...this.realms, ...settings.redirectHosts.map(hostnameOf)])
      : new Set();
  }

  /** Unique among upstreams; part of every cache key that concerns credentials. */
  get id(): string {
    return this.namespace.toString();
  }

  /** Whether the operator vouches for the host: it may be private, and this upstream's TLS settings hold for it. */
  trusts(url: URL): boolean {
    return this.trusted.has(url.hostname);
  }

  /** Whether the operator allowed credentials for this host, by its name. */
  listsRealm(url: URL): boolean {
    return this.realms.has(url.hostname);
  }
}

function hostnameOf(host: string): string {
  return new URL(`https://${host}`).hostname;
}
