const kibibyte = 1024;
const smallest = 16 * kibibyte;
const largest = 256 * kibibyte;

/** Bytes that all running copies should hold together; each copy has two buffers, of 16 to 256 KiB. */
const budget = 4 * 1024 * kibibyte;
/** Bytes of idle buffers kept for the next copies. */
const idleBudget = 1024 * kibibyte;

/**
 * Reusable buffers for copying content. Few copies get large buffers, which is fastest; many get small ones, so that
 * memory grows by a constant of at most 32 KiB for each copy beyond the budget.
 */
export class CopyBuffers {
  private readonly idle = new Map<number, Buffer[]>();
  private idleBytes = 0;
  private copies = 0;

  /** Counts a copy in. The returned function counts it out. */
  enter(): () => void {
    this.copies += 1;
    return () => {
      this.copies -= 1;
    };
  }

  /** A buffer for the next chunk of a copy that has `remaining` bytes to go; between 16 and 256 KiB. */
  take(remaining: number): Buffer {
    const share = budget / (2 * Math.max(1, this.copies));
    let size = largest;
    while (size > smallest && (size > share || size >= 2 * remaining)) size /= 2;
    const buffer = this.idle.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.idleBytes -= size;
    return buffer;
  }

  /** Gives a buffer back; nobody may use it afterwards. */
  give(buffer: Buffer): void {
    if (this.idleBytes + buffer.length > idleBudget) return;
    const idle = this.idle.get(buffer.length);
    if (idle) idle.push(buffer);
    else this.idle.set(buffer.length, [buffer]);
    this.idleBytes += buffer.length;
  }
}
