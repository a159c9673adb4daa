import type { FileHandle } from './file-system.js';

/** Bytes of a file that are left to the system's memory before they are sent to the disk. */
const flushSize = 16 * 1024 * 1024;

/** One at a time in this process: each takes one of the few threads that write files, and the disk has work with one. */
let isFlushing = false;

/**
 * Sends the bytes of a growing file to the disk while more arrive. Without it the disk would be idle while content is
 * received, and its commit would wait until all of it is written.
 */
export class EarlyFlush {
  private running: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;

  /** @param flushed bytes that the file already has. */
  constructor(
    private readonly handle: FileHandle,
    private flushed: number,
  ) {}

  /** @param written bytes in the file. @throws error of an earlier flush: the system may have dropped what it could not write */
  progress(written: number): void {
    this.check();
    if (isFlushing || written - this.flushed < flushSize) return;
    isFlushing = true;
    this.flushed = written;
    this.running = this.handle
      .datasync()
      .catch((error: unknown) => void (this.failure = { error }))
      .finally(() => (isFlushing = false));
  }

  /** Waits for a running flush. @throws as `progress` */
  async settle(): Promise<void> {
    await this.running;
    this.check();
  }

  private check(): void {
    if (this.failure) throw this.failure.error;
  }
}
