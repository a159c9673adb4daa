import type { ChunkSink } from '../storage/storage.provider.js';
import type { CacheStatus } from './statistics/traffic.counts.js';

/** A list that is sent as it arrives. The caller closes it. */
export interface StreamedList {
  /** @throws UpstreamError when it ends early, is too slow, or turns out to be no list */
  copy(sink: ChunkSink, signal: AbortSignal): Promise<void>;
  close(): void;
}

interface ListPage {
  /** Query of the next page, if there is one. */
  readonly next: URLSearchParams | undefined;
  readonly cache: CacheStatus;
  /** Seconds since the upstream sent it. */
  readonly age: number;
}

export interface TagPage extends ListPage {
  /** The document: complete, or as it arrives when it is long. */
  readonly body: Uint8Array | StreamedList;
}

export interface ReferrersPage extends ListPage {
  /** The index as the upstream sent it: complete, or as it arrives when it is long. */
  readonly body: Uint8Array | StreamedList;
  /** The filters that the upstream applied, as in OCI-Filters-Applied. */
  readonly filters: string | undefined;
}
