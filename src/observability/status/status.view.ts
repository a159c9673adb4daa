import type { RecentError } from '../logging/recent.errors.js';

/** Everything that the overview shows, as plain values. Sizes are bytes, times milliseconds since 1970. */
export interface StatusView {
  readonly at: number;
  /** Milliseconds since the process started. */
  readonly uptime: number;
  /** Which of several workers the page is about. */
  readonly worker?: { readonly number: number; readonly count: number } | undefined;
  readonly totals: Totals;
  /** Of all processes on the storage; undefined when it is none of the reader's business. */
  readonly past?: PastView | undefined;
  readonly registries: readonly RegistryView[];
  readonly downloads: readonly DownloadView[];
  /** Queued downloads. */
  readonly waitingDownloads: number;
  readonly uploads?: readonly UploadView[];
  /** Newest first; undefined when they are none of the reader's business. */
  readonly errors?: readonly RecentError[] | undefined;
  /** Undefined when it is none of the reader's business. */
  readonly storage: StorageView | undefined;
  /** The files that the server follows; undefined without any, or when they are none of the reader's business. */
  readonly configuration?: ConfigurationView | undefined;
  /** Undefined when it is none of the reader's business. */
  readonly credentials?: readonly CredentialView[] | undefined;
  /** The access file and those that it names. */
  readonly accessFiles: readonly AccessFileView[];
  /** Undefined when it is none of the reader's business. */
  readonly auditLinesDropped?: number | undefined;
  /** Undefined if they cannot be listed. */
  readonly repositories: RepositoriesView | 'counting' | undefined;
  /** Set if the page has only what its reader may see. */
  readonly reader?: ReaderView | undefined;
}

/** Somebody who may pull some repositories, and administers nothing. */
export interface ReaderView {
  /** Undefined for somebody who has not signed in. */
  readonly name: string | undefined;
}

export interface Totals {
  readonly hits: number;
  readonly misses: number;
  readonly sent: number;
  readonly saved: number;
}

/** Traffic of a short period that ended at `at`. */
export interface HistoryEntry {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
  readonly hits: number;
  readonly misses: number;
}

/** What all processes on the storage did, over restarts. */
export interface PastView {
  /** Periods of five minutes, oldest first, at most a day. */
  readonly day: readonly HistoryEntry[];
  /** Hours, oldest first, at most 30 days. */
  readonly month: readonly HistoryEntry[];
  /** Those that run, the one that responds first. */
  readonly replicas: readonly ReplicaView[];
  readonly forecast?: { readonly growth: number; readonly fullAt?: number } | undefined;
  /** Whether what other processes did could not be read. */
  readonly isPartial: boolean;
}

export interface ReplicaView {
  /** Undefined when it is none of the reader's business. */
  readonly host: string | undefined;
  readonly worker: number | undefined;
  readonly version: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly isThisOne: boolean;
}

export type Condition = 'not contacted' | 'up' | 'degraded' | 'credentials refused';

/** How the last request to a registry ended. */
export interface RegistryState {
  readonly condition: Condition;
  /** What is wrong. */
  readonly reason?: string | undefined;
  /** When the condition began. */
  readonly since?: number | undefined;
}

export interface RegistryView {
  readonly name: string;
  /** Undefined for the row of unconfigured registries. */
  readonly state: RegistryState | undefined;
  readonly fallbacks: readonly { readonly host: string; readonly state: RegistryState }[];
  readonly rateLimit: { readonly limit: number; readonly remaining: number; readonly window: number } | undefined;
  readonly hits: number;
  readonly misses: number;
  readonly sent: number;
  readonly saved: number;
  /** Bytes received from clients that push; undefined when there are none. */
  readonly pushed?: number;
}

/** Whose credentials a registry is sent. */
export interface CredentialView {
  /** Its namespace, and the host if that is a fallback. */
  readonly registry: string;
  readonly source: string;
  /** Patterns; empty for all repositories that no other source is for. */
  readonly repositories: readonly string[];
  /** Empty until some have been fetched. */
  readonly identities: readonly string[];
  /** Undefined when no end is known. */
  readonly expiresAt: number | undefined;
  /** Why the last attempt to fetch them failed. */
  readonly problem: string | undefined;
}

export interface DownloadView {
  readonly digest: string;
  /** Undefined for a private repository. */
  readonly repository: string | undefined;
  readonly received: number;
  readonly size: number | undefined;
  readonly followers: number;
}

export interface UploadView {
  readonly repository: string;
  /** Bytes of the running request. */
  readonly received: number;
  readonly size: number | undefined;
}

export interface StorageView {
  /** Undefined until it has been measured. */
  readonly used: number | undefined;
  readonly quota: number | undefined;
  /** What hosted repositories may hold. */
  readonly hosted?: readonly HostedQuotaView[];
}

export interface HostedQuotaView {
  /** Namespace and pattern. */
  readonly repositories: string;
  /** Undefined until it has been counted. */
  readonly used: number | undefined;
  readonly limit: number;
}

/** The upstream file, the webhooks file, and those that they name. */
export interface ConfigurationView {
  /** When the content in use was read. */
  readonly readAt: number;
  /** Why newer content is not in use. */
  readonly rejected?: { readonly problems: readonly string[]; readonly since: number } | undefined;
}

export interface AccessFileView {
  readonly path: string;
  /** When the content in use was read. */
  readonly readAt: number;
  /** Why newer content is not in use. */
  readonly rejected?: { readonly reason: string; readonly since: number };
}

export interface RepositoryView {
  readonly name: string;
  readonly bytes: number;
  readonly manifests: number;
  readonly usedAt: number;
}

export interface RepositoriesView {
  readonly countedAt: number;
  /** The most recently used public ones, newest first. */
  readonly shown: readonly RepositoryView[];
  /** Number of further public ones. */
  readonly more: number;
  /** Number of private ones; undefined if the reader must not know. */
  readonly hidden: number | undefined;
}
