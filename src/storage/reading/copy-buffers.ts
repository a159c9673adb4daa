const kibibyte = 1024;
const smallest = 16 * kibibyte;
const largest = 256 * kibibyte;

/** Target for the buffers of all running copies to clients, in bytes; each copy has one or two of 16 to 256 KiB. */
const defaultBudget = 4 * 1024 * kibibyte;
/** Bytes in acquired buffers, including those of slow readers, beyond which new buffers have the smallest size. */
const acquiredBudget = 24 * 1024 * kibibyte;
/** Bytes of idle buffers kept for the next copies. */
const idleBudget = 1024 * kibibyte;

/** Bytes a second below which a reader is slow. */
const slowRate = 128 * kibibyte;
/** Bytes sent within a second that prove a fast connection: more than the kernel buffers for a slow one. */
const fastBytes = 8 * 1024 * kibibyte;
/** Milliseconds after which an unsent chunk marks its reader as slow. */
const stallTime = 1_000;

/** A running copy and the speed of its reader. */
export class Copy {
  /** Offset of the next read. */
  position = 0;
  /** Bytes of its own buffers. */
  held = 0;
  private since: number | undefined;
  private stall: (() => void) | undefined;
  private slow = false;
  private proven = false;
  /** Start and bytes of the current rate measurement. */
  private start = performance.now();
  private bytes = 0;

  /** Slow readers get small private buffers and do not count towards the budget's shares. */
  get isSlow(): boolean {
    return this.slow;
  }

  /** Whether the reader has proved to be fast. */
  get isProven(): boolean {
    return this.proven;
  }

  /** Called when a chunk is handed to the sink. @param stall called when sending it stalls */
  sending(stall?: () => void): void {
    this.since = performance.now();
    this.stall = stall;
  }

  /**
   * Called when the sink has taken the chunk. The kernel accepts bytes in bursts, so the rate is measured over a second.
   * @param bytes size of the chunk
   */
  sent(bytes: number): void {
    const now = performance.now();
    this.since = undefined;
    this.bytes += bytes;
    if (this.bytes >= fastBytes) this.proven = true;
    const passed = now - this.start;
    if (passed < stallTime) return;
    this.slow = this.bytes / passed < slowRate / 1000;
    this.start = now;
    this.bytes = 0;
  }

  checkStall(now: number): void {
    if (this.since === undefined || now - this.since <= stallTime) return;
    this.slow = true;
    this.proven = false;
    this.stall?.();
  }
}

/**
 * Reusable buffers for copying content. A buffer is at most a quarter of what the budget has left: a few copies get large
 * buffers, which is fastest, and memory grows by at most 32 KiB per copy beyond the budget. Copies that need no buffer
 * take no share, and neither do slow readers.
 */
export class CopyBuffers {
  private readonly idle = new Map<number, Buffer[]>();
  private idleBytes = 0;
  private acquiredBytes = 0;
  private readonly copies = new Set<Copy>();
  private timer: NodeJS.Timeout | undefined;
  /** Bytes in buffers of copies that are not slow, exact at each check for stalls. */
  private fastBytes = 0;

  /** @param budget target for the buffers of all running copies, in bytes. */
  constructor(private readonly budget = defaultBudget) {}

  /** Registers a copy. */
  enter(): Copy {
    const copy = new Copy();
    this.copies.add(copy);
    this.timer ??= setInterval(() => this.checkStalls(), stallTime / 4).unref();
    return copy;
  }

  /** Removes a copy that has ended. */
  leave(copy: Copy): void {
    this.copies.delete(copy);
    if (this.copies.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.fastBytes = 0;
  }

  private checkStalls(): void {
    const now = performance.now();
    this.fastBytes = 0;
    for (const copy of this.copies) {
      copy.checkStall(now);
      if (!copy.isSlow) this.fastBytes += copy.held;
    }
  }

  /** A buffer of 16 to 256 KiB for the next chunk of a copy with `remaining` bytes left. */
  acquire(remaining: number, copy: Copy): Buffer {
    const isWithinBudget = !copy.isSlow && this.acquiredBytes < acquiredBudget;
    const share = isWithinBudget ? (this.budget - this.fastBytes) / 4 : smallest;
    let size = largest;
    while (size > smallest && (size > share || size >= 2 * remaining)) size /= 2;
    this.count(copy, size);
    const buffer = this.idle.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.idleBytes -= size;
    return buffer;
  }

  /** Returns a buffer of `acquire`, which the caller must not use afterwards. */
  release(buffer: Buffer, copy: Copy): void {
    this.count(copy, -buffer.length);
    if (this.idleBytes + buffer.length > idleBudget) return;
    const idle = this.idle.get(buffer.length);
    if (idle) idle.push(buffer);
    else this.idle.set(buffer.length, [buffer]);
    this.idleBytes += buffer.length;
  }

  private count(copy: Copy, bytes: number): void {
    copy.held += bytes;
    this.acquiredBytes += bytes;
    if (!copy.isSlow) this.fastBytes = Math.max(0, this.fastBytes + bytes);
  }
}
