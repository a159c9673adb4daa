import { Injectable } from '@nestjs/common';
import { MaintenanceCounts } from '../../storage/space/maintenance.counts.js';
import { SpaceLedger } from '../../storage/space/space.ledger.js';
import { StorageCounts } from '../../storage/space/storage.counts.js';
import type { TokenCounts } from '../../upstream/sign-in/token.service.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { UpstreamCounts } from '../../upstream/health/upstream.counts.js';
import type { UpstreamCredentialState } from '../../upstream/credentials/credential.set.js';
import type { UpstreamState } from '../../upstream/health/upstream.state.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { QuotaService, type QuotaUsage } from '../hosted/quota/quota.service.js';
import { DownloadsService, type DownloadCounts } from '../mirrored/downloads/downloads.service.js';
import type { ReceivedBody } from './push.counts.js';
import { hitsOf, otherNamespaces, TrafficCounts, type NamespaceTraffic } from './traffic.counts.js';

/** A running or queued download. */
export interface DownloadProgress {
  readonly digest: string;
  readonly repository: string;
  /** Bytes. */
  readonly received: number;
  /** Bytes; undefined while unknown. */
  readonly size: number | undefined;
  readonly followers: number;
}

export interface NamespaceStatistics {
  /** A configured namespace, or `other` for all unconfigured ones. */
  readonly namespace: string;
  readonly traffic: NamespaceTraffic;
  readonly upstream: UpstreamCounts;
  /** Bytes sent to clients minus bytes received from upstreams. Never decreases. */
  readonly saved: number;
}

/** A blob, or a part of one, that a client is pushing. */
export type UploadProgress = Readonly<ReceivedBody>;

/** Counters and gauges of this process, for `/metrics` and the status page. */
@Injectable()
export class RegistryStatistics {
  private readonly savings = new Map<string, number>();

  constructor(
    private readonly traffic: TrafficCounts,
    private readonly downloads: DownloadsService,
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    /** Storage operations and errors. */
    readonly storage: StorageCounts,
    /** Sweeps and scrubs. */
    readonly maintenance: MaintenanceCounts,
    /** Space used, and the quota. */
    readonly space: SpaceLedger,
    private readonly quotas: QuotaService,
  ) {}

  /** What hosted namespaces may hold, and hold. */
  get hostedQuotas(): QuotaUsage[] {
    return this.quotas.all;
  }

  /** By namespace, `other` last. */
  get namespaces(): NamespaceStatistics[] {
    const counts = new Map([...this.upstreams.all].map(({ id, counts: own }) => [id, own]));
    counts.set(otherNamespaces, this.upstreams.unconfiguredCounts);
    return this.traffic.all.map(([namespace, traffic]) => {
      const upstream = counts.get(namespace) ?? new UpstreamCounts();
      return { namespace, traffic, upstream, saved: this.savedOf(namespace, traffic.sent - upstream.received) };
    });
  }

  /** Totals over all namespaces. */
  get totals(): { sent: number; received: number; hits: number; misses: number } {
    const totals = { sent: 0, received: 0, hits: 0, misses: 0 };
    for (const { traffic, upstream } of this.namespaces) {
      totals.sent += traffic.sent;
      totals.received += upstream.received;
      totals.hits += hitsOf(traffic.manifests) + hitsOf(traffic.blobs);
      totals.misses += traffic.manifests.MISS + traffic.blobs.MISS;
    }
    for (const { sent, manifests, blobs } of this.traffic.past) {
      totals.sent += sent;
      totals.hits += hitsOf(manifests) + hitsOf(blobs);
      totals.misses += manifests.MISS + blobs.MISS;
    }
    totals.received += this.upstreams.receivedBefore;
    return totals;
  }

  /** Configured upstreams only. */
  get upstreamStates(): UpstreamState[] {
    return this.upstream.states;
  }

  /** Of configured upstreams and their fallbacks, a state for each source of credentials. */
  get upstreamCredentials(): UpstreamCredentialState[] {
    return this.upstreams.credentialStates;
  }

  get tokenCounts(): Readonly<TokenCounts> {
    return this.upstream.tokenCounts;
  }

  get downloadCounts(): Readonly<DownloadCounts> {
    return this.downloads.counts;
  }

  /** Running and queued downloads. */
  get downloading(): DownloadProgress[] {
    return [...this.downloads.all].map(({ digest, repository, received, size, followers }) => {
      return { digest: digest.toString(), repository: repository.toString(), received, size, followers };
    });
  }

  /** Running uploads of blobs. */
  get uploading(): UploadProgress[] {
    return this.traffic.all.flatMap(([, { pushes }]) => [...pushes.bodies]);
  }

  /** Running downloads, queued downloads, and the clients that follow them. */
  get downloadGauges(): { running: number; waiting: number; followers: number } {
    const { count, waiting, all } = this.downloads;
    let followers = 0;
    for (const download of all) followers += download.followers;
    return { running: Math.max(0, count - waiting), waiting, followers };
  }

  /** The highest value so far, so that bytes fetched ahead of their clients do not decrease it. */
  private savedOf(namespace: string, now: number): number {
    const saved = Math.max(this.savings.get(namespace) ?? 0, now);
    this.savings.set(namespace, saved);
    return saved;
  }
}
