import { readFileSync } from 'node:fs';
import { SystemClock, type Clock } from '../config/clock/clock.js';
import { UpstreamSettings, type EndpointSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';
import { UpstreamCounts } from './health/upstream.counts.js';
import { RepositoryCredentials } from './credentials/repository.credentials.js';
import { CredentialState } from './sign-in/credential-state.js';

/** Configured upstreams since the start. */
let made = 0;

/** A mirrored registry: its address, its credentials and the hosts that it may refer to. */
export class Upstream {
  readonly namespace: Namespace;
  /** `https://host` or `http://host`, of the registry itself. */
  readonly base: URL;
  /** Private CAs to trust in addition to the public ones, PEM. */
  readonly certificateAuthorities: string | undefined;
  readonly credentials: RepositoryCredentials;
  /** Whether the registry refuses requests without credentials. */
  private readonly anonymousState = new CredentialState();
  /** Distinguishes what was learned with these settings from what was learned with earlier ones of the same name. */
  readonly key: string;
  /** Whether the registry has responded since the start. */
  wasReached = false;
  private readonly trusted: ReadonlySet<string>;
  private readonly realms: ReadonlySet<string>;
  /** Hosts to try in this order while this one is unavailable. */
  readonly fallbacks: readonly Upstream[];
  /** Whether there are any credentials: most upstreams have none, and are asked about that for each hit. */
  private readonly hasSources: boolean;

  /**
   * @param isConfigured whether the configuration names it, so that it may be at a private address.
   * @param isFallback whether it is a fallback of another host of the same namespace.
   * @param counts shared by all unconfigured upstreams, so that their number does not matter.
   * @param clock by which credentials expire.
   * @param before the upstream with earlier settings, whose credentials stay in use where they would be the same.
   */
  constructor(
    readonly settings: Readonly<UpstreamSettings>,
    readonly isConfigured: boolean,
    readonly isFallback = false,
    readonly counts = new UpstreamCounts(),
    clock: Clock = new SystemClock(),
    before?: Upstream,
  ) {
    this.namespace = Namespace.parse(settings.namespace);
    this.key = isConfigured ? `${(made += 1)}` : this.namespace.toString();
    this.base = new URL(`${settings.tls ? 'https' : 'http'}://${settings.host}`);
    this.certificateAuthorities = settings.certificateAuthorities ?? readOptional(settings.caFile);
    this.realms = new Set(settings.tokenRealms.map(canonicalHost));
    const trusted = [settings.host, ...settings.tokenRealms, ...settings.redirectHosts];
    this.trusted = new Set(isConfigured ? trusted.map(canonicalHost) : []);
    const context = {
      host: settings.host,
      base: this.base,
      certificateAuthorities: this.certificateAuthorities,
      acceptInvalidCerts: settings.acceptInvalidCerts,
      clock,
    };
    const earlier = before?.ownAndFallbacks.map(({ credentials }) => credentials);
    this.credentials = new RepositoryCredentials(this.namespace, this.id, settings, context, earlier);
    this.fallbacks = settings.fallbackHosts.map(
      (fallback) => new Upstream(settingsOf(settings, fallback), true, true, counts, clock, before),
    );
    this.hasSources = this.ownAndFallbacks.some(({ credentials }) => credentials.sets.length > 0);
  }

  private get ownAndFallbacks(): readonly Upstream[] {
    return [this, ...this.fallbacks];
  }

  /** Takes newer settings that mean the same: the content of password files may be another. */
  follow(settings: Readonly<UpstreamSettings>): void {
    this.credentials.follow(settings);
    for (const [index, fallback] of settings.fallbackHosts.entries())
      this.fallbacks[index]?.credentials.follow(fallback);
  }

  /** Unique among upstreams that are in use, for people. `key` is for caches of what depends on credentials. */
  get id(): string {
    const name = this.namespace.toString();
    return this.isFallback ? `${name} at ${this.base.host}${this.path}` : name;
  }

  /**
   * Identifies the source of content: downloads and their leases are shared within one identity only. Two namespaces of
   * one registry differ in permissions, and a namespace that moves to another registry becomes another source.
   */
  get identity(): string {
    return `${this.namespace.toString()} ${this.base.origin}${this.path}`;
  }

  /** Whether requests about a repository are signed in, here or at a fallback. @param repository its name for clients */
  takesCredentials(repository: string): boolean {
    if (!this.hasSources) return false;
    return this.ownAndFallbacks.some(({ credentials }) => credentials.of(repository) !== undefined);
  }

  /** Whether the registry refuses what requests about a repository are signed in with. @param repository its name for clients */
  credentialStateOf(repository: string): CredentialState {
    return this.credentials.of(repository)?.state ?? this.anonymousState;
  }

  /** A repository's name at this registry. @param repository the name by which clients know it */
  nameOf(repository: string): string {
    const { pathPrefix } = this.settings;
    return pathPrefix === undefined ? repository : `${pathPrefix}/${repository}`;
  }

  /**
   * Whether the configuration names this host and port: it may be private, and this upstream's TLS settings apply to it.
   * An entry without a port stands for the default port only.
   */
  trusts(url: URL): boolean {
    return this.trusted.has(hostAndPort(url)) || (url.port === '' && this.trusted.has(url.hostname));
  }

  /** Whether `token_realms` lists this host, with this port or without a port. */
  listsRealm(url: URL): boolean {
    return this.realms.has(url.hostname) || this.realms.has(hostAndPort(url));
  }

  /** With a slash in front, or empty. */
  private get path(): string {
    return this.settings.pathPrefix === undefined ? '' : `/${this.settings.pathPrefix}`;
  }
}

/** A fallback has an address and credentials of its own and inherits the other settings of its upstream. */
function settingsOf(main: UpstreamSettings, fallback: EndpointSettings): UpstreamSettings {
  const { namespace, tagTtl, maxConnections } = main;
  return Object.assign(new UpstreamSettings(), fallback, { namespace, tagTtl, maxConnections });
}

function readOptional(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}

function hostnameOf(host: string): string {
  return new URL(`https://${host}`).hostname;
}

/** The canonical host with the given port, even if that is the default port. */
function canonicalHost(host: string): string {
  const port = /:(\d+)$/.exec(host)?.[1];
  return port === undefined ? hostnameOf(host) : `${hostnameOf(host)}:${Number(port)}`;
}

function hostAndPort(url: URL): string {
  return `${url.hostname}:${portOf(url)}`;
}

/** The port of a URL, the default one included. */
export function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}
