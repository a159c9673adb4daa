import { readFileSync } from 'node:fs';
import { UpstreamSettings, type EndpointSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';
import { UpstreamCounts } from './health/upstream.counts.js';

/** A registry that is mirrored: where it is and what it may be told. */
export class Upstream {
  readonly namespace: Namespace;
  /** `https://host` or `http://host`, of the registry itself. */
  readonly base: URL;
  /** Certificates to trust besides the usual ones, PEM. */
  readonly authorities: string | undefined;
  private readonly trusted: ReadonlySet<string>;
  private readonly realms: ReadonlySet<string>;
  /** Hosts to ask, in this order, while this one cannot answer. */
  readonly fallbacks: readonly Upstream[];

  /**
   * @param isConfigured an operator named it: its host may be at a private address.
   * @param isFallback it answers for another host of the same namespace.
   * @param counts what is asked of it; those of strangers are counted together, so that their names fill nothing.
   */
  constructor(
    readonly settings: Readonly<UpstreamSettings>,
    readonly isConfigured: boolean,
    readonly isFallback = false,
    readonly counts = new UpstreamCounts(),
  ) {
    this.namespace = Namespace.parse(settings.namespace);
    this.base = new URL(`${settings.tls ? 'https' : 'http'}://${settings.host}`);
    this.authorities = settings.caFile === undefined ? undefined : readFileSync(settings.caFile, 'utf8');
    this.realms = new Set(settings.tokenRealms.map(placeOf));
    this.trusted = isConfigured
      ? new Set([
          this.base.hostname,
          ...settings.tokenRealms.map(hostnameOf),
          ...settings.redirectHosts.map(hostnameOf),
        ])
      : new Set();
    this.fallbacks = settings.fallbackHosts.map(
      (fallback) => new Upstream(settingsOf(settings, fallback), true, true, counts),
    );
  }

  /** Unique among upstreams; part of every cache key that concerns credentials. */
  get id(): string {
    return this.isFallback ? `${this.namespace.toString()} at ${this.base.host}` : this.namespace.toString();
  }

  /** Whether the operator vouches for the host: it may be private, and this upstream's TLS settings hold for it. */
  trusts(url: URL): boolean {
    return this.trusted.has(url.hostname);
  }

  /** Whether the operator allowed credentials for this host: at the port that stands in the list, or at any without one. */
  listsRealm(url: URL): boolean {
    return this.realms.has(url.hostname) || this.realms.has(`${url.hostname}:${url.port || defaultPort(url)}`);
  }
}

/** A fallback has its own address and credentials, and the policies of the upstream that it stands in for. */
function settingsOf(main: UpstreamSettings, fallback: EndpointSettings): UpstreamSettings {
  const { namespace, tagTtl, maxConnections } = main;
  return Object.assign(new UpstreamSettings(), fallback, { namespace, tagTtl, maxConnections });
}

function hostnameOf(host: string): string {
  return new URL(`https://${host}`).hostname;
}

/** The canonical host, with the port that was given, also when that is the usual one. */
function placeOf(host: string): string {
  const port = /:(\d+)$/.exec(host)?.[1];
  return port === undefined ? hostnameOf(host) : `${hostnameOf(host)}:${Number(port)}`;
}

function defaultPort({ protocol }: URL): number {
  return protocol === 'https:' ? 443 : 80;
}
