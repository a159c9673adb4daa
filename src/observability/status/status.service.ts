import { Inject, Injectable, Logger, Optional, type OnApplicationShutdown } from '@nestjs/common';
import { AccessService } from '../../access/access.service.js';
import type { Reader } from '../../access/reader.js';
import { Clock } from '../../config/clock/clock.js';
import { upstreamSettings } from '../../config/config.module.js';
import { Reloads } from '../../config/reload/reloads.js';
import { ServerSettings } from '../../config/server.settings.js';
import type { UpstreamSettings } from '../../config/upstream.settings.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { RegistryStatistics } from '../../registry/statistics/registry.statistics.js';
import { hitsOf } from '../../registry/statistics/traffic.counts.js';
import type { RecentError } from '../logging/recent.errors.js';
import { RequestMeter } from '../logging/request.meter.js';
import { CachedRepositories } from './cached.repositories.js';
import { RepositoryListing } from './repository.listing.js';
import type {
  Condition,
  ConfigurationView,
  CredentialView,
  DownloadView,
  RegistryState,
  RegistryView,
  RepositoriesView,
  StatusView,
  StorageView,
  UploadView,
} from './status.view.js';

/** Registries in client configurations besides the configured ones, if unconfigured registries are mirrored too. */
const wellKnown = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io'];
/** Most rows of a table, and entries of a configuration. */
const longest = 50;

type UpstreamCredentialState = RegistryStatistics['upstreamCredentials'][number];
type UpstreamState = RegistryStatistics['upstreamStates'][number];

const conditions: Record<UpstreamState['outcome']['condition'], Condition> = {
  'not-contacted': 'not contacted',
  up: 'up',
  degraded: 'degraded',
  'credentials-refused': 'credentials refused',
};

/** Reads what the page shows, on each request. */
@Injectable()
export class StatusService implements OnApplicationShutdown {
  private readonly logger = new Logger(StatusService.name);
  private readonly listing: RepositoryListing | undefined;
  private readonly privateNamespaces = new Set<string>();

  constructor(
    private readonly statistics: RegistryStatistics,
    private readonly server: ServerSettings,
    @Inject(upstreamSettings) private upstreams: readonly UpstreamSettings[],
    @Inject(Clock) private readonly clock: Clock,
    private readonly access: AccessService,
    private readonly reloads: Reloads,
    private readonly requests: RequestMeter,
    @Optional() repositories?: CachedRepositories,
  ) {
    this.replace(upstreams);
    const onError = (error: unknown) => this.logger.warn(`stored repositories cannot be listed: ${String(error)}`);
    const hasCredentials = (namespace: string) => this.privateNamespaces.has(namespace);
    this.listing = repositories && new RepositoryListing(repositories, hasCredentials, () => clock.now(), onError);
  }

  /** Follows the upstream file. What was private stays so. */
  replace(upstreams: readonly UpstreamSettings[]): void {
    this.upstreams = upstreams;
    for (const entry of upstreams.filter(isSignedIn)) this.privateNamespaces.add(namespaceOf(entry));
  }

  /** Registries in a client's configuration. */
  get namespaces(): readonly string[] {
    const others = this.server.unknownNamespaces === 'mirror' ? wellKnown : [];
    return [...new Set([this.defaultNamespace, ...this.upstreams.map(namespaceOf), ...others])].slice(0, longest);
  }

  /** The registry of requests that name none. */
  get defaultNamespace(): string {
    return Namespace.parse(this.server.defaultNamespace).toString();
  }

  /** @param reader sees only what the rules allow; undefined for somebody who sees everything */
  view(reader?: Reader): StatusView {
    const registries = this.registries().filter(({ namespace }) => !reader || mayKnow(reader, namespace));
    const sum = (key: 'hits' | 'misses' | 'sent' | 'saved') => registries.reduce((total, each) => total + each[key], 0);
    const { worker, workers } = this.server;
    return {
      at: this.clock.now(),
      uptime: process.uptime() * 1000,
      worker: worker === undefined ? undefined : { number: worker, count: workers },
      totals: { hits: sum('hits'), misses: sum('misses'), sent: sum('sent'), saved: sum('saved') },
      registries,
      ...this.transfers(reader),
      errors: reader ? undefined : this.errors,
      storage: reader ? undefined : this.storage,
      configuration: reader ? undefined : this.configuration,
      credentials: reader ? undefined : this.credentials,
      accessFiles: reader ? [] : this.access.files.slice(0, longest),
      auditLinesDropped: reader ? undefined : this.access.statistics.auditLinesDropped,
      repositories: this.listing && (this.repositoriesFor(this.listing, reader) ?? 'counting'),
      ...(reader && { reader: { name: reader.name } }),
    };
  }

  /** What runs at the moment. @param reader as of `view` */
  transfers(reader?: Reader): Pick<StatusView, 'downloads' | 'waitingDownloads' | 'uploads'> {
    const { downloading, uploading, downloadGauges } = this.statistics;
    const maySee = (repository: string) => !reader || reader.maySee(RepositoryRef.parse(repository));
    return {
      downloads: downloading
        .filter(({ repository }) => maySee(repository))
        .slice(0, longest)
        .map((each) => (reader ? each : this.download(each))),
      waitingDownloads: reader ? 0 : downloadGauges.waiting,
      uploads: uploading
        .filter(({ repository }) => maySee(repository))
        .slice(0, longest)
        .map(({ repository, received, size }): UploadView => ({ repository, received, size })),
    };
  }

  /** Without the names of private repositories. */
  private get errors(): RecentError[] {
    return this.requests.errors.all.map((error) =>
      error.repository !== undefined && this.isHidden(error.repository)
        ? { ...error, repository: 'private repository', about: '', message: undefined }
        : error,
    );
  }

  private get configuration(): ConfigurationView | undefined {
    const { readAt, rejected } = this.reloads;
    return readAt === undefined ? undefined : { readAt, rejected };
  }

  /** Without an access file everybody may read the page: `/_admin/status` shows them. */
  private get credentials(): CredentialView[] | undefined {
    if (!this.access.isEnabled) return undefined;
    return this.statistics.upstreamCredentials.slice(0, longest).map(credentialView);
  }

  private get storage(): StorageView {
    const { space, hostedQuotas } = this.statistics;
    return {
      used: space.isMeasured ? space.bytes : undefined,
      quota: space.quota,
      hosted: hostedQuotas.slice(0, longest).map(({ namespace, repositories, used, limit }) => {
        return { repositories: `${namespace}/${repositories}`, used, limit };
      }),
    };
  }

  private repositoriesFor(listing: RepositoryListing, reader: Reader | undefined): RepositoriesView | undefined {
    if (!reader) return listing.view;
    return listing.viewFor(({ namespace, name }) => reader.maySee(RepositoryRef.parse(`${namespace}/${name}`)));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.listing?.close();
  }

  private registries(): (RegistryView & { readonly namespace: string })[] {
    const states = new Map(this.statistics.upstreamStates.map((state) => [state.namespace, state]));
    return this.statistics.namespaces.map(({ namespace, traffic, saved }) => {
      const state = states.get(namespace);
      return {
        namespace,
        name: namespace === 'other' ? 'all others' : namespace,
        state: state && stateOf(state),
        fallbacks: state?.fallbacks.map(({ host, outcome }) => ({ host, state: viewOf(outcome) })) ?? [],
        rateLimit: state?.rateLimit,
        hits: hitsOf(traffic.manifests) + hitsOf(traffic.blobs),
        misses: traffic.manifests.MISS + traffic.blobs.MISS,
        sent: traffic.sent,
        saved,
        ...(traffic.pushes.received > 0 && { pushed: traffic.pushes.received }),
      };
    });
  }

  private download({ repository, ...rest }: RegistryStatistics['downloading'][number]): DownloadView {
    return { ...rest, repository: this.isHidden(repository) ? undefined : repository };
  }

  private isHidden(repository: string): boolean {
    return this.privateNamespaces.has(repository.slice(0, repository.indexOf('/')));
  }
}

/** What is not configured is not named one by one: only who sees everything sees its sum. */
function mayKnow(reader: Reader, namespace: string): boolean {
  return namespace !== 'other' && reader.mayKnow(Namespace.parse(namespace));
}

function isSignedIn(entry: UpstreamSettings): boolean {
  return [entry, ...entry.fallbackHosts].some(({ takesCredentials }) => takesCredentials);
}

function namespaceOf({ namespace }: UpstreamSettings): string {
  return Namespace.parse(namespace).toString();
}

/** The last outcome; after a success, what the next requests would suffer from. */
function stateOf({ host, outcome, limited, isSlow }: UpstreamState): RegistryState {
  const paused = limited.filter((kind) => kind !== 'tag-list' && kind !== 'referrers');
  if (outcome.condition === 'up' && paused.length > 0)
    return { condition: 'degraded', reason: `${host} is rate-limiting ${paused.join(' and ')} requests` };
  if (outcome.condition === 'up' && isSlow) return { condition: 'degraded', reason: `${host} responds slowly` };
  return viewOf(outcome);
}

function credentialView({ namespace, host, isFallback, counts: _, ...state }: UpstreamCredentialState): CredentialView {
  return { registry: isFallback ? `${namespace} at ${host}` : namespace, ...state };
}

function viewOf({ condition, reason, since }: UpstreamState['outcome']): RegistryState {
  return { condition: conditions[condition], reason, since };
}
