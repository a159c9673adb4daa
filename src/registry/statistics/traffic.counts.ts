import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import { PushCounts } from './push.counts.js';

/**
 * - HIT: from the store
 * - MISS: from the upstream
 * - STALE: from the store, because the upstream could not revalidate it
 * - REVALIDATED: from the store, after the upstream confirmed it
 */
export type CacheStatus = 'HIT' | 'MISS' | 'STALE' | 'REVALIDATED';

/** Responses by cache status. */
export type CacheCounts = Record<CacheStatus, number>;

const none = (): CacheCounts => ({ HIT: 0, MISS: 0, STALE: 0, REVALIDATED: 0 });

/** Responses of one namespace since the start. Plain numbers, because the hot path increments them (DESIGN §9). */
export class NamespaceTraffic {
  readonly manifests = none();
  /** GET only: a HEAD of a blob transfers nothing. */
  readonly blobs = none();
  readonly lists = none();
  /** Bytes of manifests, blobs and lists written to clients' connections. */
  sent = 0;
  readonly pushes = new PushCounts();
}

/** Label of all unconfigured namespaces: requests must not add time series (P17). */
export const otherNamespaces = 'other';

const maxFormer = 1_000;

/** Traffic per configured namespace, and the total of all others. */
@Injectable()
export class TrafficCounts {
  private readonly other = new NamespaceTraffic();
  private configured: ReadonlyMap<string, NamespaceTraffic>;
  /** Of namespaces that are not configured any more, at most a number of them. */
  private readonly former = new LRUCache<string, NamespaceTraffic>(atMost(maxFormer));

  constructor(
    private readonly upstreams: UpstreamsService,
    private readonly hosted: HostedNamespaces,
  ) {
    this.configured = this.fresh();
  }

  /** Follows the upstream file; to be called after both services have. A namespace that comes back counts on. */
  replace(): void {
    const next = this.fresh();
    for (const [name, traffic] of this.configured) if (!next.has(name)) this.former.set(name, traffic);
    this.configured = next;
  }

  /** Of namespaces that are not configured any more: no labels, but parts of the totals. */
  get past(): Iterable<NamespaceTraffic> {
    return this.former.values();
  }

  private fresh(): ReadonlyMap<string, NamespaceTraffic> {
    const names = [...[...this.upstreams.all].map(({ id }) => id), ...this.hosted.names];
    return new Map(names.map((name) => [name, this.takeKnown(name) ?? new NamespaceTraffic()]));
  }

  private takeKnown(name: string): NamespaceTraffic | undefined {
    const known = (this.configured as typeof this.configured | undefined)?.get(name) ?? this.former.get(name);
    this.former.delete(name);
    return known;
  }

  of(namespace: string): NamespaceTraffic {
    return this.configured.get(namespace) ?? this.other;
  }

  /** By label, `other` last. The labels change with the upstream file only. */
  get all(): [label: string, traffic: NamespaceTraffic][] {
    return [...this.configured, [otherNamespaces, this.other]];
  }
}

/** Responses that were served from the store, with or without revalidation. */
export function hitsOf({ HIT, STALE, REVALIDATED }: CacheCounts): number {
  return HIT + STALE + REVALIDATED;
}
