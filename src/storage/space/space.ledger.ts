import { StorageError } from '../storage-error.js';

/** Block size of most file systems in bytes; every object counts as whole blocks. */
const blockBytes = 4096;

/** Shares of the quota at which eviction starts and stops. */
const highWater = 0.95;
const lowWater = 0.85;

/** Result of listing the whole storage. */
export interface Measured {
  /** In bytes, as `spaceOf` counts them. */
  readonly bytes: number;
  /** Number of content objects, without records. */
  readonly objects: number;
  /** Number of quarantined objects. */
  readonly damaged: number;
}

/** What makes space short: usage is near the quota, a write was refused by the quota, or one was refused by the disk. */
export type SpacePressure = 'near' | 'quota' | 'disk';

/** Disk space in bytes for an object of `size` bytes. */
export function spaceOf(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/**
 * Storage usage as this process knows it: the last measurement plus what it has added and removed since. Replaced objects
 * count twice until the next measurement, so the figure errs on the high side.
 */
export class SpaceLedger {
  private counts: Measured = { bytes: 0, objects: 0, damaged: 0 };
  private measured = false;
  private addedBytes = 0;
  /** Bytes of ingests that are being written. */
  private claimed = 0;
  /** Bytes and objects that are counted in and are still being committed. */
  private pending = { bytes: 0, objects: 0 };
  /** Called when space is short. */
  onPressure: (pressure: SpacePressure) => void = () => undefined;

  /** @param quota in bytes; undefined for no limit. */
  constructor(readonly quota?: number) {}

  get bytes(): number {
    return this.counts.bytes;
  }

  get objects(): number {
    return this.counts.objects;
  }

  get damaged(): number {
    return this.counts.damaged;
  }

  /** Whether the storage has been measured; until then the figures only cover what this process has added. */
  get isMeasured(): boolean {
    return this.measured;
  }

  /** Total bytes that this process has added; never decreases. */
  get added(): number {
    return this.addedBytes;
  }

  /** Usage in bytes at which eviction starts. */
  get high(): number {
    return (this.quota ?? Infinity) * highWater;
  }

  /** Usage in bytes at which eviction stops. */
  get low(): number {
    return (this.quota ?? Infinity) * lowWater;
  }

  /**
   * Usage in bytes at which eviction stops after the disk was full: the disk holds no more than it holds now, because others
   * use the rest of it or it has no inodes left.
   * @param used measured usage
   */
  lowOf(used: number): number {
    return Math.min(this.quota ?? Infinity, used) * lowWater;
  }

  get isFull(): boolean {
    return this.bytes >= (this.quota ?? Infinity);
  }

  /** @throws StorageError `full` when an object of `size` bytes does not fit. */
  check(size = 0): void {
    const { quota } = this;
    if (quota === undefined || (!this.isFull && this.bytes + spaceOf(size) <= quota)) return;
    // An object larger than the quota must not empty the storage.
    if (spaceOf(size) <= quota) this.onPressure('quota');
    throw new StorageError('full', 'the storage quota (--max-size) is exhausted');
  }

  /**
   * Counts bytes of an ingest until they are unclaimed.
   * @param size of the ingest with them.
   * @throws StorageError `full` when the quota has no room for them beside what is stored and being written.
   */
  claim(bytes: number, size: number): void {
    const { quota } = this;
    if (quota !== undefined && this.bytes + this.claimed + bytes > quota) {
      if (spaceOf(size) <= quota) this.onPressure('quota');
      throw new StorageError('full', 'the storage quota (--max-size) is exhausted');
    }
    this.claimed += bytes;
  }

  unclaim(bytes: number): void {
    this.claimed -= bytes;
  }

  /** Adds an object to the usage. */
  add(size: number, objects = 1): void {
    this.addedBytes += spaceOf(size);
    this.change(spaceOf(size), objects);
    if (this.bytes >= this.high) this.onPressure('near');
  }

  /**
   * Counts content in that is about to be committed. A measurement may or may not see content that is being committed
   * meanwhile, so it counts as added only once it is settled.
   * @returns to be called once, when it has been committed or has failed
   */
  reserve(size: number): (isCommitted: boolean) => void {
    const bytes = spaceOf(size);
    this.pending = { bytes: this.pending.bytes + bytes, objects: this.pending.objects + 1 };
    this.change(bytes, 1);
    if (this.bytes >= this.high) this.onPressure('near');
    return (isCommitted) => {
      this.pending = { bytes: this.pending.bytes - bytes, objects: this.pending.objects - 1 };
      if (isCommitted) this.addedBytes += bytes;
      else this.change(-bytes, -1);
    };
  }

  /** Removes an object from the usage. */
  remove(size: number, objects = 1): void {
    this.change(-spaceOf(size), -objects);
  }

  /** Counts an object as quarantined; it still takes its space. */
  quarantine(): void {
    this.counts = { ...this.counts, damaged: this.counts.damaged + 1 };
  }

  /** @param since `added` at the start of the measurement, which may have missed later objects. */
  measure({ bytes, objects, damaged }: Measured, since: number): void {
    const { pending } = this;
    this.counts = {
      bytes: bytes + this.addedBytes - since + pending.bytes,
      objects: objects + pending.objects,
      damaged,
    };
    this.measured = true;
  }

  private change(bytes: number, objects: number): void {
    const { counts } = this;
    this.counts = {
      bytes: Math.max(0, counts.bytes + bytes),
      objects: Math.max(0, counts.objects + objects),
      damaged: counts.damaged,
    };
  }
}
