const minute = 60_000;
const hour = 60 * minute;
/** Buckets of one minute for the last hour, then of one hour each; the last one has everything above 167 days. */
const minutes = 60;
const buckets = 4096;

/** Bytes by the age of their last use. It finds the oldest content without a list. */
export class AgeHistogram {
  private readonly bytes = new Float64Array(buckets);
  private readonly objects = new Float64Array(buckets);

  /** @param age milliseconds since the last use; a negative age counts as 0. */
  add(age: number, bytes: number): void {
    const bucket = bucketOf(age);
    this.bytes[bucket] = (this.bytes[bucket] ?? 0) + bytes;
    this.objects[bucket] = (this.objects[bucket] ?? 0) + 1;
  }

  /**
   * The cutoff that frees `bytes`, least recently used first.
   * @param each bytes that each object frees besides its own, such as its records.
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

/** Everything last used before the bucket is evicted; from the bucket itself, only as much as necessary. */
export class EvictionCutoff {
  /** @param left bytes still to be freed from the bucket itself. @param each as for `oldest` */
  constructor(
    private readonly bucket: number,
    private left: number,
    private readonly each = 0,
  ) {}

  /** Whether to evict an object. Call it once per object. */
  takes(age: number, bytes: number): boolean {
    const bucket = bucketOf(age);
    if (bucket !== this.bucket) return bucket > this.bucket;
    if (this.left <= 0) return false;
    this.left -= bytes + this.each;
    return true;
  }

  /** Whether it was last used before everything that is kept. */
  isBefore(age: number): boolean {
    return bucketOf(age) > this.bucket;
  }
}

function bucketOf(age: number): number {
  if (age < hour) return Math.max(0, Math.floor(age / minute));
  return Math.min(buckets - 1, minutes - 1 + Math.floor(age / hour));
}
