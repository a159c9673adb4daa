import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../config/clock/clock.js';
import { ConfigurationError } from '../../config/configuration-error.js';
import type { AccessStatistics, FileKind } from '../access.statistics.js';
import { FileRest, restTime } from '../../config/files/file.rest.js';
import { isPath } from '../../config/files/setting-file.js';
import { markOf, readRegularFile } from '../../config/files/regular.file.js';

/** Milliseconds between looks at a file. */
export const lookInterval = 1_000;
/** Milliseconds to wait for a look: the file may be on a network. */
const lookTimeout = 10_000;

/** What the files of a process share. */
export interface FileContext {
  readonly clock: Clock;
  readonly statistics: AccessStatistics;
}

/** A file as an operator sees it. */
export interface FileState {
  readonly kind: FileKind;
  readonly path: string;
  /** When the content in use was read, in milliseconds since 1970. */
  readonly readAt: number;
  /** Why newer content is not in use, and since when. */
  readonly rejected?: { readonly reason: string; readonly since: number };
}

/**
 * The content of a file that changes while the server runs. A change counts within a second, through replaced files and
 * symbolic links too, as Kubernetes does it. A file with a mistake changes nothing and is logged; it is tried again, since
 * a file that it names may be what was missing.
 */
export class WatchedFile<T> {
  private readonly logger = new Logger('Access');
  private value: T | undefined;
  private mark = '';
  private readAt = 0;
  private rejected: FileState['rejected'];
  private lookedAt = -Infinity;
  private looking: Promise<void> | undefined;
  /** Nobody waits for a look that has taken too long. */
  private isLate = false;
  private readonly rest: FileRest;

  /** @param parse @throws Error whose message has nothing of the content */
  constructor(
    readonly kind: FileKind,
    readonly path: string,
    private readonly parse: (text: string) => T | Promise<T>,
    private readonly context: FileContext,
  ) {
    this.rest = new FileRest(path, context.clock);
  }

  /** The path, unless a password may have been written in its place. */
  private get place(): string {
    return this.kind !== 'ldap_password' || isPath(this.path, this.kind) ? this.path : 'ldap.bind_password_file';
  }

  /** The newest content. @throws Error while there has never been a valid one */
  async read(): Promise<T> {
    if (this.value === undefined || this.isDue) await this.look();
    if (this.value === undefined) throw new Error(`${this.place}: ${this.rejected?.reason ?? 'cannot be read'}`);
    return this.value;
  }

  /** As `read`, without waiting: a change counts from the next use on. Undefined before the first `read`. */
  peek(): T | undefined {
    if (this.isDue) void this.look();
    return this.value;
  }

  /** What `read` would give without a look; undefined when one is due. */
  get fresh(): T | undefined {
    return this.isDue ? undefined : this.value;
  }

  /** Reads it if it has changed. Never throws: `state` says what came of it. */
  look(): Promise<void> {
    this.looking ??= this.reload().finally(() => {
      this.looking = undefined;
      this.isLate = false;
    });
    return this.isLate ? Promise.resolve() : this.waitFor(this.looking);
  }

  private waitFor(looking: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.isLate = true;
        this.reject(`did not respond within ${lookTimeout / 1000} s`, this.mark);
        resolve();
      }, lookTimeout);
    });
    return Promise.race([looking, late]).finally(() => clearTimeout(timer));
  }

  /** Waits until it is not being written. @returns whether it is not; `look` reports a late file system */
  rests(): Promise<boolean> {
    return Promise.race([this.rest.wait(), sleep(lookTimeout, true, { ref: false })]);
  }

  get state(): FileState {
    const { kind, path, readAt, rejected } = this;
    return { kind, path, readAt, ...(rejected && { rejected }) };
  }

  private get isDue(): boolean {
    return this.context.clock.monotonic() - this.lookedAt >= lookInterval;
  }

  private async reload(): Promise<void> {
    this.lookedAt = this.context.clock.monotonic();
    let mark = 'unreadable';
    try {
      mark = await markOf(this.path);
      if (mark === this.mark && !this.rejected) return;
      if (await this.isBeingWritten(mark)) {
        mark = this.mark;
        this.lookedAt -= lookInterval - restTime;
        return;
      }
      const text = await readRegularFile(this.path);
      if (this.value !== undefined && (await markOf(this.path)) !== mark) return void (mark = this.mark);
      const value = await this.parse(text);
      if (this.value !== undefined) this.applied();
      this.value = value;
      this.readAt = this.context.clock.now();
      this.rejected = undefined;
    } catch (error) {
      this.reject(reasonOf(error), mark);
    } finally {
      this.mark = mark;
    }
  }

  /** The first content is needed at once, and what has been rejected is tried again. */
  private async isBeingWritten(mark: string): Promise<boolean> {
    return this.value !== undefined && mark !== this.mark && !(await this.rest.isResting());
  }

  private applied(): void {
    this.context.statistics.fileChanges[this.kind].applied += 1;
    this.logger.log(`${this.path} has been read again`);
  }

  private reject(reason: string, mark: string): void {
    const isKnown = mark === this.mark && reason === this.rejected?.reason;
    this.rejected = { reason, since: this.rejected?.since ?? this.context.clock.now() };
    // The first time is a mistake of the configuration, which its reader reports.
    if (isKnown || this.value === undefined) return;
    this.context.statistics.fileChanges[this.kind].rejected += 1;
    this.logger.error(`${this.path}: ${reason}; what was read before stays`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ConfigurationError) return error.message.replaceAll('\n', '; ');
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error ? String(error.code) : error.message;
}
