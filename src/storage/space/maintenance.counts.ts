import { Injectable } from '@nestjs/common';

/** Totals of sweeps, garbage collection and scrubs since the start, for `/metrics` and the status page. */
@Injectable()
export class MaintenanceCounts {
  readonly sweeps = { done: 0, failed: 0, removedObjects: 0, removedBytes: 0 };
  /** Of hosted repositories: runs, and the records that they removed. */
  readonly garbage = { done: 0, failed: 0, tag: 0, manifest: 0, blob: 0 };
  readonly scrubs = { done: 0, failed: 0, checkedObjects: 0, checkedBytes: 0, damagedObjects: 0 };
}
