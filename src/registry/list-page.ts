import type { CacheStatus } from './statistics/traffic.counts.js';

interface ListPage {
  /** Query of the next page, if there is one. */
  readonly next: URLSearchParams | undefined;
  readonly cache: CacheStatus;
  /** Seconds since the upstream sent it. */
  readonly age: number;
}

export interface TagPage extends ListPage {
  /** The document, complete. */
  readonly body: Uint8Array;
}

export interface ReferrersPage extends ListPage {
  /** The index as the upstream sent it. */
  readonly body: Uint8Array;
  /** The filters that the upstream applied, as in OCI-Filters-Applied. */
  readonly filters: string | undefined;
}
