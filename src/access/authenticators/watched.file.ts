import { Logger } from '@nestjs/common';
import { readFile, stat } from 'node:fs/promises';

/** Milliseconds between looks at a file. */
const interval = 1_000;
const maxBytes = 16 * 1024 * 1024;

/**
 * The content of a file that changes while the server runs. A change counts within a second of its next use, through
 * replaced files and symbolic links too, as Kubernetes does it. A file with a mistake changes nothing and is logged.
 */
export class WatchedFile<T> {
  private readonly logger = new Logger('Access');
  private value: T | undefined;
  private mark = '';
  private lastReason = 'cannot be read';
  private lookedAt = -Infinity;
  private looking: Promise<void> | undefined;

  /** @param parse @throws Error whose message has nothing of the content */
  constructor(
    private readonly path: string,
    private readonly parse: (text: string) => T,
    private readonly now: () => number,
  ) {}

  /** The newest content. @throws Error while there has never been a valid one */
  async read(): Promise<T> {
    if (this.value === undefined || this.now() - this.lookedAt >= interval) await this.look();
    if (this.value === undefined) throw new Error(`${this.path}: ${this.lastReason}`);
    return this.value;
  }

  /** As `read`, without waiting: a change counts from the next use on. Undefined before the first `read`. */
  peek(): T | undefined {
    if (this.now() - this.lookedAt >= interval) void this.look();
    return this.value;
  }

  private look(): Promise<void> {
    this.looking ??= this.reload().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async reload(): Promise<void> {
    this.lookedAt = this.now();
    let mark = 'unreadable';
    try {
      const { mtimeMs, size, ino, dev } = await stat(this.path);
      mark = `${mtimeMs} ${size} ${ino} ${dev}`;
      if (mark === this.mark) return;
      if (size > maxBytes) throw new Error('is larger than 16 MiB');
      const isFirst = this.value === undefined;
      this.value = this.parse(await readFile(this.path, 'utf8'));
      if (!isFirst) this.logger.log(`${this.path} has been read again`);
    } catch (error) {
      this.lastReason = reasonOf(error);
      // The first time is a mistake of the configuration, which its reader reports.
      if (mark !== this.mark && this.value !== undefined)
        this.logger.error(`${this.path}: ${this.lastReason}; what was read before stays`);
    } finally {
      this.mark = mark;
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error ? String(error.code) : error.message;
}
