/** What is known of a tag: when the upstream last confirmed it, on the wall clock in milliseconds since 1970. */
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
 * - fresh: answer from the store
 * - ageing: answer from the store, and ask the upstream behind the answer
 * - stale: ask the upstream whether it moved, and answer from the store when it cannot say
 * - expired, unknown: only the upstream can answer
 */
export type Freshness = 'fresh' | 'ageing' | 'stale' | 'expired' | 'unknown';

/**
 * How far a record can be trusted now. A record from the future, as after the clock was set back, is only good for an
 * outage: it could seem fresh for days.
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
 * What came of asking the upstream.
 * - same, moved: it named the digest that is recorded, or another
 * - refused: 401, 403 or 404, an answer that nothing stored may hide (P7)
 * - failed: unreachable, too late, 5xx, 429 or damaged, which is no answer (P6)
 */
export type UpstreamOutcome = 'same' | 'moved' | 'refused' | 'failed';

/**
 * - refresh: the record holds, from now on
 * - replace: another digest has it now
 * - serve-stale: the record is the best there is
 * - forget: the record must not be used again; the refusal is the answer
 * - fail: there is nothing to answer with
 */
export type Decision = 'refresh' | 'replace' | 'serve-stale' | 'forget' | 'fail';

/** The whole policy: what is done with a record of this freshness after this answer. */
export function decide(freshness: Freshness, response: UpstreamOutcome): Decision {
  if (response === 'refused') return 'forget';
  if (response === 'same') return 'refresh';
  if (response === 'moved') return 'replace';
  return freshness === 'unknown' || freshness === 'expired' ? 'fail' : 'serve-stale';
}
