import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../config/memory/at-most.js';
import { Clock, SystemClock } from '../config/clock/clock.js';
import { hostedSettings, upstreamSettings } from '../config/config.module.js';
import type { HostedSettings } from '../config/hosted/hosted.settings.js';
import { proxyOf } from '../config/proxy/proxy.js';
import { meanSame } from '../config/reload/changes.js';
import { ServerSettings } from '../config/server.settings.js';
import { defaultUpstream } from '../config/upstream-file.js';
import type { UpstreamSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';
import { Upstream } from './upstream.js';
import type { UpstreamCredentialState } from './credentials/credential.set.js';
import { UpstreamCounts } from './health/upstream.counts.js';
import { UpstreamError } from './upstream-error.js';

/** Maximum number of unconfigured namespaces with state; the least recently used is dropped first. */
const maxUnconfigured = 1000;

/** Maps namespaces to upstreams. */
@Injectable()
export class UpstreamsService {
  private configured: ReadonlyMap<string, Upstream>;
  /** Requests to all unconfigured upstreams together. */
  readonly unconfiguredCounts = new UpstreamCounts();
  /** Canonical names of namespaces that content is pushed to. */
  private hosted: ReadonlySet<string>;
  private readonly unconfigured = new LRUCache<string, Upstream>(atMost(maxUnconfigured));
  /** Bytes received from upstreams that are not configured any more. */
  private received = 0;
  /** Namespaces that requests were sent to with credentials. */
  private readonly tookCredentials = new Set<string>();
  /** When sources of credentials were removed or changed, in milliseconds since 1970. */
  private readonly changedAt = new Map<string, number>();

  constructor(
    @Inject(upstreamSettings) settings: readonly UpstreamSettings[],
    private readonly server: ServerSettings,
    @Inject(hostedSettings) hosted: readonly HostedSettings[] = [],
    @Inject(Clock) private readonly clock: Clock = new SystemClock(),
  ) {
    this.hosted = namesOf(hosted);
    this.configured = this.upstreamsOf(settings, this.hosted);
  }

  /**
   * Follows the upstream file. Upstreams that stay the same keep their state; all others are new, and what runs ends
   * with the ones that it began with.
   * @returns those that are out of use
   */
  replace(settings: readonly UpstreamSettings[], hosted: readonly HostedSettings[]): Upstream[] {
    const before = [...this.configured.values()];
    const next = this.upstreamsOf(settings, namesOf(hosted), this.configured);
    for (const { id, settings: old } of before) {
      if (![old, ...old.fallbackHosts].some((each) => each.takesCredentials)) continue;
      this.tookCredentials.add(id);
      if (accountsOf(old) !== accountsOf(next.get(id)?.settings)) this.changedAt.set(id, this.clock.now());
    }
    this.hosted = namesOf(hosted);
    this.configured = next;
    for (const name of next.keys()) this.unconfigured.delete(name);
    for (const { id, counts } of before) if (!next.has(id)) this.received += counts.received;
    const kept = new Set(next.values());
    return before.filter((upstream) => !kept.has(upstream));
  }

  /** As `get`; undefined when the namespace is not mirrored here any more. */
  find(namespace: Namespace): Upstream | undefined {
    try {
      return this.get(namespace);
    } catch (error) {
      if (error instanceof UpstreamError) return undefined;
      throw error;
    }
  }

  /** Bytes received so far from upstreams that are out of use. */
  get receivedBefore(): number {
    return this.received;
  }

  /** Whether something of the namespace may have been received with credentials since the start. */
  mayHaveSignedIn(namespace: Namespace): boolean {
    return this.tookCredentials.has(namespace.toString());
  }

  /** When what had been received with credentials lost them, or others took their place; undefined if never since the start. */
  credentialsChangedAt(namespace: Namespace): number | undefined {
    return this.changedAt.size === 0 ? undefined : this.changedAt.get(namespace.toString());
  }

  /** @throws UpstreamError `refused` when the namespace is not mirrored here. */
  get(namespace: Namespace): Upstream {
    return this.configured.get(namespace.toString()) ?? this.getUnconfigured(namespace);
  }

  /** As `get`, without keeping anything of an unconfigured namespace. @throws UpstreamError `refused` */
  peek(namespace: Namespace): Upstream {
    const name = namespace.toString();
    const known = this.configured.get(name);
    if (known) return known;
    this.assertAdmitted(namespace);
    return this.unconfigured.peek(name) ?? this.newUnconfigured(namespace);
  }

  /** The configured upstreams, including Docker Hub and the default namespace. */
  get all(): Iterable<Upstream> {
    return this.configured.values();
  }

  /** Of the configured upstreams and their fallbacks. */
  get credentialStates(): UpstreamCredentialState[] {
    return [...this.all].flatMap((upstream) =>
      [upstream, ...upstream.fallbacks].flatMap(({ namespace, base: { host }, isFallback, credentials }) =>
        credentials.states.map((state) => ({ namespace: namespace.toString(), host, isFallback, ...state })),
      ),
    );
  }

  /** Whether it is mirrored here. Unlike `find`, it keeps no state for an unconfigured namespace. */
  isMirrored(namespace: Namespace): boolean {
    return this.configured.has(namespace.toString()) || this.refusalOf(namespace) === undefined;
  }

  /** Whether some requests of the namespace are sent with credentials; those of unconfigured ones never are. */
  takesCredentials(namespace: Namespace): boolean {
    const settings = this.configured.get(namespace.toString())?.settings;
    return settings !== undefined && [settings, ...settings.fallbackHosts].some((each) => each.takesCredentials);
  }

  private getUnconfigured(namespace: Namespace): Upstream {
    this.assertAdmitted(namespace);
    const name = namespace.toString();
    const known = this.unconfigured.get(name);
    if (known) return known;
    const upstream = this.newUnconfigured(namespace);
    this.unconfigured.set(name, upstream);
    return upstream;
  }

  private newUnconfigured(namespace: Namespace): Upstream {
    return new Upstream(defaultUpstream(namespace), false, false, this.unconfiguredCounts);
  }

  private assertAdmitted(namespace: Namespace): void {
    const refusal = this.refusalOf(namespace);
    if (refusal !== undefined) throw new UpstreamError('refused', refusal);
  }

  /** Why an unconfigured namespace is not mirrored; undefined when it is. */
  private refusalOf(namespace: Namespace): string | undefined {
    const name = namespace.toString();
    // What is not found in a hosted namespace is never looked for elsewhere (dependency confusion).
    if (this.hosted.has(name)) return `${name} is hosted here`;
    if (!this.isAdmitted(name)) return `${name} is not mirrored here`;
    if (namespace.isDomainName && namespace.port === undefined) return undefined;
    return `${name} is not mirrored here: unconfigured registries must be DNS names without a port`;
  }

  /** Behind a proxy the address of a host cannot be checked, so only allowed namespaces are mirrored. */
  private isAdmitted(name: string): boolean {
    const { allowNamespaces, denyNamespaces, unknownNamespaces } = this.server;
    if (denyNamespaces.some((pattern) => matches(pattern, name))) return false;
    if (allowNamespaces.some((pattern) => matches(pattern, name))) return true;
    const url = `https://${name}/`;
    return unknownNamespaces === 'mirror' && (!URL.canParse(url) || proxyOf(new URL(url)) === undefined);
  }

  /** Docker Hub and the default namespace are always mirrored, unless they are hosted. */
  private builtIn(hosted: ReadonlySet<string>): UpstreamSettings[] {
    return ['docker.io', this.server.defaultNamespace]
      .map((name) => Namespace.parse(name))
      .filter((namespace) => !hosted.has(namespace.toString()))
      .map(defaultUpstream);
  }

  /** @param known upstreams to keep where nothing has changed; others of their names keep the counts */
  private upstreamsOf(
    settings: readonly UpstreamSettings[],
    hosted: ReadonlySet<string>,
    known?: ReadonlyMap<string, Upstream>,
  ): ReadonlyMap<string, Upstream> {
    // A configured one takes the place of a built-in one.
    const entries = new Map([...this.builtIn(hosted), ...settings].map((entry) => [canonical(entry.namespace), entry]));
    const upstreams = [...entries].map(([name, entry]): [string, Upstream] => {
      const old = known?.get(name);
      if (!old || !meanSame(old.settings, entry))
        return [name, new Upstream(entry, true, false, old?.counts, this.clock, old)];
      old.follow(entry);
      return [name, old];
    });
    return new Map(upstreams);
  }
}

const canonical = (name: string) => Namespace.parse(name).toString();
const namesOf = (entries: readonly { readonly namespace: string }[]): ReadonlySet<string> =>
  new Set(entries.map(({ namespace }) => canonical(namespace)));

/** Whose credentials an upstream takes, for comparison: a new password of the same user is not another account. */
function accountsOf(settings: UpstreamSettings | undefined): string {
  const hosts = settings ? [settings, ...settings.fallbackHosts] : [];
  // JSON has no secrets.
  return JSON.stringify(hosts.map(({ host, username, credentialSources }) => [host, username, credentialSources]));
}

/** `*` matches every name, `*.example.com` every subdomain, anything else only itself in canonical form. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  const pure = canonical(pattern.replace('*', 'x'));
  return pattern.startsWith('*.') ? name.endsWith(pure.slice(1)) : pure === name;
}
