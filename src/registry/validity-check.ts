import type { CacheCounts } from './statistics/traffic.counts.js';

/** What may differ when an answer is given again. */
export interface CachedState {
  /** Seconds since the upstream confirmed a tag. */
  readonly age?: number;
}

/**
 * Whether the same answer holds now: asked without waiting and without reading, so that what many ask for one after the
 * other is found out once. Undefined when it has to be found out again: something was replaced or removed, fell out of
 * memory, is not fresh any more, or has to be asked about.
 */
export type ValidityCheck = () => CachedState | undefined;

/** The same, without anything that changes. */
export const unchanged: CachedState = {};

/** The same, counted as what it is: an answer from the store. */
export function counted(validity: ValidityCheck | undefined, counts: CacheCounts): ValidityCheck | undefined {
  if (!validity) return undefined;
  return () => {
    const repeated = validity();
    if (repeated) counts.HIT += 1;
    return repeated;
  };
}
