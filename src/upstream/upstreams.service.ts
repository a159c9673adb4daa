import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { getProxyForUrl } from 'proxy-from-env';
import { upstreamSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import { defaultHost } from '../config/upstream-file.js';
import { UpstreamSettings } from '../config/upstream.settings.js';
import { Namespace } from '../oci/namespace.js';
import { Upstream } from './upstream.js';
import { UpstreamCounts } from './health/upstream.counts.js';
import { UpstreamError } from './upstream-error.js';

/** Unconfigured namespaces remembered at one time; the least recently used is forgotten first. */
const maxUnconfigured = 1000;

/** Which upstream answers for a namespace. */
@Injectable()
export class UpstreamsService {
  private readonly configured: ReadonlyMap<string, Upstream>;
  /** What is asked of all unconfigured upstreams together. */
  readonly unconfiguredCounts = new UpstreamCounts();
  private readonly unconfigured = new LRUCache<string, Upstream>({ max: maxUnconfigured });

  constructor(
    @Inject(upstreamSettings) settings: readonly UpstreamSettings[],
    private readonly server: ServerSettings,
  ) {
    const configured = settings.map((entry) => new Upstream(entry, true));
    this.configured = new Map([...this.builtIn(), ...configured].map((upstream) => [upstream.id, upstream]));
  }

  /** @throws UpstreamError `refused` when the namespace is not mirrored here. */
  get(namespace: Namespace): Upstream {
    return this.configured.get(namespace.toString()) ?? this.getUnconfigured(namespace);
  }

  /** Those that the configuration names, Docker Hub and the default one included: their number never changes. */
  get all(): Iterable<Upstream> {
    return this.configured.values();
  }

  private getUnconfigured(namespace: Namespace): Upstream {
    const name = namespace.toString();
    if (!this.isAdmitted(name)) throw new UpstreamError('refused', `${name} is not mirrored here`);
    if (!namespace.isDomainName || namespace.port !== undefined) {
      throw new UpstreamError(
        'refused',
        `${name} is not mirrored here: only DNS names without a port are, unless configured`,
      );
    }
    const known = this.unconfigured.get(name);
    if (known) return known;
    const upstream = new Upstream(settingsOf(namespace), false, false, this.unconfiguredCounts);
    this.unconfigured.set(name, upstream);
    return upstream;
  }

  /** Behind a proxy nobody can check which address a stranger is at, so there only allowed ones are mirrored. */
  private isAdmitted(name: string): boolean {
    const { allowNamespaces, denyNamespaces, unknownNamespaces } = this.server;
    if (denyNamespaces.some((pattern) => matches(pattern, name))) return false;
    if (allowNamespaces.some((pattern) => matches(pattern, name))) return true;
    return unknownNamespaces === 'mirror' && getProxyForUrl(`https://${name}/`) === '';
  }

  /** Docker Hub and the default namespace are always mirrored. */
  private builtIn(): Upstream[] {
    return ['docker.io', this.server.defaultNamespace].map(
      (name) => new Upstream(settingsOf(Namespace.parse(name)), true),
    );
  }
}

/** `*` is every name, `*.example.com` every name below example.com, anything else itself, however it is spelled. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  const canonical = Namespace.parse(pattern.replace('*', 'x')).toString();
  return pattern.startsWith('*.') ? name.endsWith(canonical.slice(1)) : canonical === name;
}

function settingsOf(namespace: Namespace): UpstreamSettings {
  return Object.assign(new UpstreamSettings(), { namespace: namespace.toString(), host: defaultHost(namespace) });
}
