import type { CacheCounts } from './statistics/traffic.counts.js';

/** The parts of a cached response that change while it stays valid. */
export interface CachedState {
  /** Seconds since the upstream confirmed a tag. */
  readonly age?: number;
}

/**
 * Tells without I/O whether a cached response is still valid. Undefined means that the request must be resolved again:
 * a record was replaced, removed or dropped from memory, is no longer fresh, or permission is due for a recheck.
 */
export type ValidityCheck = () => CachedState | undefined;

/** Valid, with nothing that changes. */
export const unchanged: CachedState = {};

/** The same check; each valid result is counted as a cache hit. */
export function counted(validity: ValidityCheck | undefined, counts: CacheCounts): ValidityCheck | undefined {
  if (!validity) return undefined;
  return () => {
    const state = validity();
    if (state) counts.HIT += 1;
    return state;
  };
}
