import type { MirrorAddress } from '../clients/mirror-address.js';

/** Everything that the status page shows, as plain values. Sizes are bytes, times milliseconds since 1970. */
export interface StatusView {
  readonly at: number;
  /** Milliseconds since the process started. */
  readonly uptime: number;
  /** Where the reader has reached the mirror; undefined when that cannot stand in a configuration. */
  readonly mirror: MirrorAddress | undefined;
  readonly totals: Totals;
  /** Oldest first, at most a day. */
  readonly history: readonly HistoryEntry[];
  readonly registries: readonly RegistryView[];
  readonly downloads: readonly DownloadView[];
  /** Downloads that wait for their turn. */
  readonly waitingDownloads: number;
  readonly storage: StorageView;
  /** Undefined when nobody counts them. */
  readonly repositories: RepositoriesView | 'counting' | undefined;
}

export interface Totals {
  readonly hits: number;
  readonly misses: number;
  readonly sent: number;
  readonly saved: number;
}

/** What went through in a short period that ended at `at`. */
export interface HistoryEntry {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
  readonly hits: number;
  readonly misses: number;
}

export type RegistryState = 'not asked yet' | 'answers' | 'slow' | 'limits us' | 'is tried again' | 'does not answer';

export interface RegistryView {
  readonly name: string;
  /** Undefined for all that are not configured. */
  readonly state: RegistryState | undefined;
  readonly rateLimit: { readonly limit: number; readonly remaining: number; readonly window: number } | undefined;
  readonly hits: number;
  readonly misses: number;
  readonly sent: number;
  readonly saved: number;
}

export interface DownloadView {
  readonly digest: string;
  /** Undefined for a repository that takes a password: its name is nobody's business. */
  readonly repository: string | undefined;
  readonly received: number;
  readonly size: number | undefined;
  readonly followers: number;
}

export interface StorageView {
  /** Undefined until it has been counted. */
  readonly used: number | undefined;
  readonly quota: number | undefined;
}

export interface RepositoryView {
  readonly name: string;
  readonly bytes: number;
  readonly manifests: number;
  readonly usedAt: number;
}

export interface RepositoriesView {
  readonly countedAt: number;
  /** Those of public content that were used last, newest first. */
  readonly shown: readonly RepositoryView[];
  /** How many more of public content there are. */
  readonly more: number;
  /** How many take a password. */
  readonly hidden: number;
}
