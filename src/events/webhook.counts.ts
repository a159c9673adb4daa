/** Why an event was dropped: the queue was full, its file could not be written or read, or it was retried for too long. */
export const dropReasons = ['full', 'storage', 'expired'] as const;
export type DropReason = (typeof dropReasons)[number];

/** What has happened at one webhook since the start. */
export class WebhookCounts {
  /** Events that were accepted. */
  delivered = 0;
  /** Requests that failed. */
  failed = 0;
  readonly dropped: Record<DropReason, number> = { full: 0, storage: 0, expired: 0 };
}

/** A webhook as metrics show it. */
export interface WebhookStatistics {
  readonly name: string;
  readonly counts: Readonly<WebhookCounts>;
  /** Events that wait. */
  readonly queued: number;
  /** Milliseconds since the oldest of them. */
  readonly oldest: number;
}
