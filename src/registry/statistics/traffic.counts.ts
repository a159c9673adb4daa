import { Injectable } from '@nestjs/common';
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

/** Traffic per configured namespace, and the total of all others. */
@Injectable()
export class TrafficCounts {
  private readonly other = new NamespaceTraffic();
  private readonly configured: ReadonlyMap<string, NamespaceTraffic>;

  constructor(upstreams: UpstreamsService, hosted: HostedNamespaces) {
    const names = [...[...upstreams.all].map(({ id }) => id), ...hosted.names];
    this.configured = new Map(names.map((name) => [name, new NamespaceTraffic()]));
  }

  of(namespace: string): NamespaceTraffic {
    return this.configured.get(namespace) ?? this.other;
  }

  /** By label, `other` last. The labels never change. */
  get all(): [label: string, traffic: NamespaceTraffic][] {
    return [...this.configured, [otherNamespaces, this.other]];
  }
}

/** Responses that were served from the store, with or without revalidation. */
export function hitsOf({ HIT, STALE, REVALIDATED }: CacheCounts): number {
  return HIT + STALE + REVALIDATED;
}
