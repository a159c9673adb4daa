/** What is known of a tag: when the upstream last confirmed it, on the wall clock in milliseconds since 1970. */
export interface Confirmed {
  readonly checkedAt: number;
}

/** Milliseconds. */
export interface FreshnessPolicy {
  readonly manifestInvalidationTime: number;
}

/**
 * - fresh: answer from the store
 * - stale: ask the upstream whether it moved, and answer from the store when it cannot say
 * - unknown: only the upstream can answer
 */
export type Freshness = 'fresh' | 'stale' | 'unknown';

/** A record from the future, as after the clock was set back, is not trusted: it could stay fresh for days. */
export function freshnessOf(record: Confirmed | undefined, policy: FreshnessPolicy, now: number): Freshness {
  if (!record) return 'unknown';
  const age = now - record.checkedAt;
  return age >= 0 && age < policy.manifestInvalidationTime ? 'fresh' : 'stale';
}

/** Seconds for an Age header (RFC 9111 §5.1); never negative. */
export function ageOf(record: Confirmed, now: number): number {
  return Math.max(0, Math.floor((now - record.checkedAt) / 1000));
}
