const kibibyte = 1024;
const smallest = 16 * kibibyte;
const largest = 256 * kibibyte;

/** Bytes that all running copies to clients should hold together; each copy has two buffers, of 16 to 256 KiB. */
const forReaders = 4 * 1024 * kibibyte;
/** Bytes in buffers, those that slow readers still have included, beyond which all new ones are of the smallest size. */
const takenBudget = 24 * 1024 * kibibyte;
/** Bytes of idle buffers kept for the next copies. */
const idleBudget = 1024 * kibibyte;

/** Bytes a second below which a reader is slow. */
const slowRate = 128 * kibibyte;
/** Bytes in a second that no reader takes whose connection is slow: more than the kernel takes for it. */
const proof = 8 * 1024 * kibibyte;
/** Milliseconds after which a chunk that nobody has taken makes its reader slow. */
const stalled = 1_000;

/** One running copy, and how fast its reader is. */
export class Copy {
  /** Offset of what it reads next. */
  position = 0;
  private since: number | undefined;
  private stall: (() => void) | undefined;
  private slow = false;
  private proven = false;
  /** From when on, and how many bytes, are counted for the reader's rate. */
  private start = performance.now();
  private bytes = 0;

  /** Slow readers get small buffers of their own, and are not counted. */
  get isSlow(): boolean {
    return this.slow;
  }

  /** Whether it has shown that it is fast. */
  get isProven(): boolean {
    return this.proven;
  }

  /** A chunk is on its way. @param stall called when that takes very long */
  sending(stall?: () => void): void {
    this.since = performance.now();
    this.stall = stall;
  }

  /**
   * The reader has taken it. The kernel takes much at once after having taken nothing for long, so that only the rate
   * over some time tells anything.
   * @param bytes its size
   */
  sent(bytes: number): void {
    const now = performance.now();
    this.since = undefined;
    this.bytes += bytes;
    if (this.bytes >= proof) this.proven = true;
    const passed = now - this.start;
    if (passed < stalled) return;
    this.slow = this.bytes / passed < slowRate / 1000;
    this.start = now;
    this.bytes = 0;
  }

  look(now: number): void {
    if (this.since === undefined || now - this.since <= stalled) return;
    this.slow = true;
    this.proven = false;
    this.stall?.();
  }
}

/**
 * Reusable buffers for copying content. Few copies get large buffers, which is fastest; many get small ones, so that
 * memory grows by a constant of at most 32 KiB for each copy beyond the budget. Slow readers take nothing from the fast.
 */
export class CopyBuffers {
  private readonly idle = new Map<number, Buffer[]>();
  private idleBytes = 0;
  private takenBytes = 0;
  private readonly copies = new Set<Copy>();
  private watch: NodeJS.Timeout | undefined;
  private fast = 0;

  /** @param budget bytes that all running copies should hold together. */
  constructor(private readonly budget = forReaders) {}

  /** Counts a copy in. */
  enter(): Copy {
    const copy = new Copy();
    this.copies.add(copy);
    this.fast += 1;
    this.watch ??= setInterval(() => this.look(), stalled / 4).unref();
    return copy;
  }

  /** Counts it out. */
  leave(copy: Copy): void {
    if (this.copies.delete(copy) && !copy.isSlow) this.fast = Math.max(0, this.fast - 1);
    if (this.copies.size > 0) return;
    clearInterval(this.watch);
    this.watch = undefined;
    this.fast = 0;
  }

  private look(): void {
    const now = performance.now();
    this.fast = 0;
    for (const copy of this.copies) {
      copy.look(now);
      if (!copy.isSlow) this.fast += 1;
    }
  }

  /** A buffer for the next chunk of a copy that has `remaining` bytes to go; between 16 and 256 KiB. */
  take(remaining: number, copy?: Copy): Buffer {
    const isPlenty = copy?.isSlow !== true && this.takenBytes < takenBudget;
    const share = isPlenty ? this.budget / (2 * Math.max(1, this.fast)) : smallest;
    let size = largest;
    while (size > smallest && (size > share || size >= 2 * remaining)) size /= 2;
    this.takenBytes += size;
    const buffer = this.idle.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.idleBytes -= size;
    return buffer;
  }

  /** Gives a buffer back; nobody may use it afterwards. */
  give(buffer: Buffer): void {
    this.takenBytes -= buffer.length;
    if (this.idleBytes + buffer.length > idleBudget) return;
    const idle = this.idle.get(buffer.length);
    if (idle) idle.push(buffer);
    else this.idle.set(buffer.length, [buffer]);
    this.idleBytes += buffer.length;
  }
}
