const minute = 60_000;
const hour = 60 * minute;
/** Buckets of a minute for the last hour, then of an hour each; the last one has everything older, about 167 days. */
const minutes = 60;
const buckets = 4096;

/** How many bytes were last used when, so that the oldest can be found without keeping a list. */
export class AgeHistogram {
  private readonly bytes = new Float64Array(buckets);
  private readonly objects = new Float64Array(buckets);

  /** @param age milliseconds since the last use; less than 0 counts as now. */
  add(age: number, bytes: number): void {
    const bucket = bucketOf(age);
    this.bytes[bucket] = (this.bytes[bucket] ?? 0) + bytes;
    this.objects[bucket] = (this.objects[bucket] ?? 0) + 1;
  }

  /**
   * What has to go, least recently used first, so that `bytes` become free.
   * @param each bytes that become free with every object, besides its own.
   */
  oldest(bytes: number, each = 0): EvictionCutoff {
    let left = bytes;
    for (let bucket = buckets - 1; bucket >= 0; bucket -= 1) {
      const inside = (this.bytes[bucket] ?? 0) + (this.objects[bucket] ?? 0) * each;
      if (inside >= left) return new EvictionCutoff(bucket, left, each);
      left -= inside;
    }
    return new EvictionCutoff(0, Infinity);
  }
}

/** A moment, exact to its bucket: everything last used before it goes, and of its own bucket as much as is needed. */
export class EvictionCutoff {
  /** @param left bytes that the bucket itself still has to give. @param each as for `oldest` */
  constructor(
    private readonly bucket: number,
    private left: number,
    private readonly each = 0,
  ) {}

  /** Whether something goes. To be asked once for each object. */
  takes(age: number, bytes: number): boolean {
    const bucket = bucketOf(age);
    if (bucket !== this.bucket) return bucket > this.bucket;
    if (this.left <= 0) return false;
    this.left -= bytes + this.each;
    return true;
  }

  /** Whether it was last used before everything that stays. */
  isBefore(age: number): boolean {
    return bucketOf(age) > this.bucket;
  }
}

function bucketOf(age: number): number {
  if (age < hour) return Math.max(0, Math.floor(age / minute));
  return Math.min(buckets - 1, minutes - 1 + Math.floor(age / hour));
}
