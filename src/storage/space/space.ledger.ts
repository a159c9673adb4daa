import { StorageError } from '../storage-error.js';

/** Bytes that the smallest file takes on most disks; every object is counted in whole ones. */
const blockBytes = 4096;

/** Parts of the quota at which least recently used content makes way, and down to which it does. */
const highWater = 0.95;
const lowWater = 0.85;

/** What a walk through the storage found. */
export interface Measured {
  /** Bytes, as `spaceOf` counts them. */
  readonly bytes: number;
  /** Pieces of content; records are not counted. */
  readonly objects: number;
  /** Objects that were set aside. */
  readonly damaged: number;
}

/** Bytes of disk that an object of so many bytes takes. */
export function spaceOf(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/**
 * How much is stored, as far as this process knows: what was measured last, and what it has added and removed since. What
 * it replaces is counted twice until the next measurement, so that the figure is rather too high than too low.
 */
export class SpaceLedger {
  private counts: Measured = { bytes: 0, objects: 0, damaged: 0 };
  private measured = false;
  private addedBytes = 0;
  /** Bytes and objects that are counted in and are still being committed. */
  private pending = { bytes: 0, objects: 0 };
  /** Told when space is short: `urgent` when something has been refused for it. */
  onPressure: (isUrgent: boolean) => void = () => undefined;

  /** @param quota bytes that may be used; undefined for no bound. */
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

  /** Whether it has ever been measured; until then the figures are what this process has added. */
  get isMeasured(): boolean {
    return this.measured;
  }

  /** Bytes that this process has ever added: the difference of two moments is what came in between. */
  get added(): number {
    return this.addedBytes;
  }

  /** More than this, and content makes way. */
  get high(): number {
    return (this.quota ?? Infinity) * highWater;
  }

  get low(): number {
    return (this.quota ?? Infinity) * lowWater;
  }

  get isFull(): boolean {
    return this.bytes >= (this.quota ?? Infinity);
  }

  /** @throws StorageError `full` when an object of `size` bytes has no place. */
  check(size = 0): void {
    const { quota } = this;
    if (quota === undefined || (!this.isFull && this.bytes + spaceOf(size) <= quota)) return;
    // What would not fit into an empty storage either is no reason to clear it.
    if (spaceOf(size) <= quota) this.onPressure(true);
    throw new StorageError('full', 'the space that --max-size allows is used up');
  }

  /** Counts an object in. */
  add(size: number, objects = 1): void {
    this.addedBytes += spaceOf(size);
    this.change(spaceOf(size), objects);
    if (this.bytes >= this.high) this.onPressure(false);
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
    if (this.bytes >= this.high) this.onPressure(false);
    return (isCommitted) => {
      this.pending = { bytes: this.pending.bytes - bytes, objects: this.pending.objects - 1 };
      if (isCommitted) this.addedBytes += bytes;
      else this.change(-bytes, -1);
    };
  }

  /** Counts an object out. */
  remove(size: number, objects = 1): void {
    this.change(-spaceOf(size), -objects);
  }

  /** Counts one of the objects as set aside; it still takes its space. */
  setAside(): void {
    this.counts = { ...this.counts, damaged: this.counts.damaged + 1 };
  }

  /** @param since what `added` was when the measurement began: it may have missed what came after. */
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
