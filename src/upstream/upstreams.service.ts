import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock, SystemClock } from '../config/clock/clock.js';
import { hostedSettings, upstreamSettings } from '../config/config.module.js';
import type { HostedSettings } from '../config/hosted/hosted.settings.js';
import { proxyOf } from '../config/proxy/proxy.js';
import { ServerSettings } from '../config/server.settings.js';
import { defaultUpstream } from '../config/upstream-file.js';
import type { UpstreamSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';
import { Upstream } from './upstream.js';
import { UpstreamCounts } from './health/upstream.counts.js';
import { UpstreamError } from './upstream-error.js';

/** Maximum number of unconfigured namespaces with state; the least recently used is dropped first. */
const maxUnconfigured = 1000;

/** Maps namespaces to upstreams. */
@Injectable()
export class UpstreamsService {
  private readonly configured: ReadonlyMap<string, Upstream>;
  /** Requests to all unconfigured upstreams together. */
  readonly unconfiguredCounts = new UpstreamCounts();
  /** Canonical names of namespaces that content is pushed to. */
  private readonly hosted: ReadonlySet<string>;
  private readonly unconfigured = new LRUCache<string, Upstream>({ max: maxUnconfigured });

  constructor(
    @Inject(upstreamSettings) settings: readonly UpstreamSettings[],
    private readonly server: ServerSettings,
    @Inject(hostedSettings) hosted: readonly HostedSettings[] = [],
    @Inject(Clock) clock: Clock = new SystemClock(),
  ) {
    this.hosted = new Set(hosted.map(({ namespace }) => Namespace.parse(namespace).toString()));
    const configured = settings.map((entry) => new Upstream(entry, true, false, undefined, clock));
    this.configured = new Map([...this.builtIn(), ...configured].map((upstream) => [upstream.id, upstream]));
  }

  /** @throws UpstreamError `refused` when the namespace is not mirrored here. */
  get(namespace: Namespace): Upstream {
    return this.configured.get(namespace.toString()) ?? this.getUnconfigured(namespace);
  }

  /** The configured upstreams, including Docker Hub and the default namespace. Their number never changes. */
  get all(): Iterable<Upstream> {
    return this.configured.values();
  }

  private getUnconfigured(namespace: Namespace): Upstream {
    const name = namespace.toString();
    // What is not found in a hosted namespace is never looked for elsewhere (dependency confusion).
    if (this.hosted.has(name)) throw new UpstreamError('refused', `${name} is hosted here`);
    if (!this.isAdmitted(name)) throw new UpstreamError('refused', `${name} is not mirrored here`);
    if (!namespace.isDomainName || namespace.port !== undefined) {
      throw new UpstreamError(
        'refused',
        `${name} is not mirrored here: unconfigured registries must be DNS names without a port`,
      );
    }
    const known = this.unconfigured.get(name);
    if (known) return known;
    const upstream = new Upstream(defaultUpstream(namespace), false, false, this.unconfiguredCounts);
    this.unconfigured.set(name, upstream);
    return upstream;
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
  private builtIn(): Upstream[] {
    return ['docker.io', this.server.defaultNamespace]
      .map((name) => Namespace.parse(name))
      .filter((namespace) => !this.hosted.has(namespace.toString()))
      .map((namespace) => new Upstream(defaultUpstream(namespace), true));
  }
}

/** `*` matches every name, `*.example.com` every subdomain, anything else only itself in canonical form. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  const canonical = Namespace.parse(pattern.replace('*', 'x')).toString();
  return pattern.startsWith('*.') ? name.endsWith(canonical.slice(1)) : canonical === name;
}
