/** When the upstream last confirmed a record, in milliseconds since 1970. */
export interface Confirmed {
  readonly checkedAt: number;
}

/** Milliseconds. */
export interface FreshnessPolicy {
  readonly tagTtl: number;
  readonly staleWhileRevalidate: number;
  /** Undefined means no bound. */
  readonly maxStale?: number | undefined;
}

/**
 * - fresh: serve from the store
 * - ageing: serve from the store, and revalidate in the background
 * - stale: revalidate, and serve from the store if the upstream is unavailable
 * - expired, unknown: only the upstream can serve it
 */
export type Freshness = 'fresh' | 'ageing' | 'stale' | 'expired' | 'unknown';

/**
 * The freshness of a record. A record from the future, as after the clock was set back, is stale: otherwise it could
 * seem fresh for days.
 */
export function freshnessOf(record: Confirmed | undefined, policy: FreshnessPolicy, now: number): Freshness {
  if (!record) return 'unknown';
  const age = now - record.checkedAt;
  const overdue = age - policy.tagTtl;
  if (age < 0) return 'stale';
  if (overdue < 0) return 'fresh';
  if (policy.maxStale !== undefined && overdue > policy.maxStale) return 'expired';
  return overdue < policy.staleWhileRevalidate ? 'ageing' : 'stale';
}

/** Seconds for an Age header (RFC 9111 §5.1); never negative. */
export function ageOf(record: Confirmed, now: number): number {
  return Math.max(0, Math.floor((now - record.checkedAt) / 1000));
}

/**
 * The outcome of an upstream request.
 * - same, moved: the recorded digest, or another one
 * - refused: 401, 403 or 404, which nothing stored may override (P7)
 * - failed: unreachable, timed out, 5xx, 429 or invalid: an outage (P6)
 */
export type UpstreamOutcome = 'same' | 'moved' | 'refused' | 'failed';

/**
 * - refresh: the record is fresh again
 * - replace: the tag has moved to another digest
 * - serve-stale: serve the stale record
 * - forget: remove the record and pass on the refusal
 * - fail: pass on the failure
 */
export type Decision = 'refresh' | 'replace' | 'serve-stale' | 'forget' | 'fail';

/** What to do with a record of this freshness after this outcome. */
export function decide(freshness: Freshness, outcome: UpstreamOutcome): Decision {
  if (outcome === 'refused') return 'forget';
  if (outcome === 'same') return 'refresh';
  if (outcome === 'moved') return 'replace';
  return freshness === 'unknown' || freshness === 'expired' ? 'fail' : 'serve-stale';
}
