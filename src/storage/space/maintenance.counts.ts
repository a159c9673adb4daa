import { Injectable } from '@nestjs/common';

/** What those who look after the stored content have done since the start; `/metrics` and the status page read it. */
@Injectable()
export class MaintenanceCounts {
  readonly sweeps = { done: 0, failed: 0, removedObjects: 0, removedBytes: 0 };
  readonly scrubs = { done: 0, failed: 0, checkedObjects: 0, checkedBytes: 0, damagedObjects: 0 };
}
