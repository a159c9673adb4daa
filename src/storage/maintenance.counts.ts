/**
 * What those who look after the stored content have found and done since the start. They set it; `/metrics` and the
 * status page read it. What nobody has measured is undefined, and not told.
 */
export class MaintenanceCounts {
  /** Bytes of stored content, as the last sweep measured them. */
  usedBytes: number | undefined;
  /** Bytes that content may take; undefined without a quota. */
  quotaBytes: number | undefined;
  readonly sweeps = { done: 0, failed: 0, removedObjects: 0, removedBytes: 0 };
  readonly scrubs = { done: 0, failed: 0, checkedObjects: 0, checkedBytes: 0, damagedObjects: 0 };
}
