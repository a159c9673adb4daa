import { Injectable } from '@nestjs/common';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import type { CacheStatus } from '../cache-status.js';

/** Answers by where they came from. */
export type CacheCounts = Record<CacheStatus, number>;

const none = (): CacheCounts => ({ HIT: 0, MISS: 0, STALE: 0, REVALIDATED: 0 });

/** What clients were answered of one namespace since the start. Numbers only: the hot path adds to them (DESIGN §9). */
export class NamespaceTraffic {
  readonly manifests = none();
  /** GETs only: a HEAD of a blob reads none. */
  readonly blobs = none();
  readonly lists = none();
  /** Bytes of manifests, blobs and lists given to clients' connections. */
  sent = 0;
}

/** Label of all namespaces that the configuration does not name: what clients ask for must not add series (P17). */
export const otherNamespaces = 'other';

/** Traffic of each configured namespace, and of all others together. */
@Injectable()
export class TrafficCounts {
  private readonly other = new NamespaceTraffic();
  private readonly configured: ReadonlyMap<string, NamespaceTraffic>;

  constructor(upstreams: UpstreamsService) {
    this.configured = new Map([...upstreams.all].map(({ id }) => [id, new NamespaceTraffic()]));
  }

  of(namespace: string): NamespaceTraffic {
    return this.configured.get(namespace) ?? this.other;
  }

  /** By label, `other` last; always the same labels. */
  get all(): [label: string, traffic: NamespaceTraffic][] {
    return [...this.configured, [otherNamespaces, this.other]];
  }
}

/** Answers that were read from the store, whether or not the upstream was asked about them. */
export function hitsOf({ HIT, STALE, REVALIDATED }: CacheCounts): number {
  return HIT + STALE + REVALIDATED;
}
