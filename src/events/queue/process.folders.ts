import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rmdir, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setInterval } from 'node:timers';

/** Milliseconds between two signs of life, and between two looks at the other folders. */
const interval = 5_000;
/** Milliseconds without a sign of life after which a process counts as dead that cannot be looked up. */
const silence = 30_000;

/** Folders of this process, in which several servers may run. */
const ownFolders = new Set<string>();
/** Where a process id means something: the same machine and the same container. */
const here = createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 12);
const namePattern = /^([0-9a-f]{12})-(\d{1,10})-[0-9a-f]{16}$/;
const leftPattern = /^left-[0-9a-f]{16}$/;

export interface FoldersPlace {
  /** Milliseconds, never decreasing. */
  readonly monotonic: () => number;
  /** Called with a folder that is now of this process, and has events of another one. */
  readonly onAdopt: (folder: string) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Gives each process a folder of its own, and those of dead processes to one that lives. A folder's name says whose it is,
 * and a rename takes it: one process gets it, and the former owner, should it live after all, notices.
 */
export class ProcessFolders {
  private readonly own = new Set<string>();
  private readonly seen = new Map<string, { readonly mtime: number; readonly since: number }>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private name: string | undefined;

  constructor(
    readonly root: string,
    private readonly place: FoldersPlace,
  ) {}

  /** The folder for new events; undefined while none can be made. */
  get current(): string | undefined {
    return this.name === undefined ? undefined : join(this.root, this.name);
  }

  /** Every folder of this process, with what it has taken over. */
  get all(): string[] {
    return [...this.own].map((name) => join(this.root, name));
  }

  /** Never rejects: what cannot be made or read now is tried again later. */
  async open(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void (this.looking = this.looking.then(() => this.look())), interval);
    this.timer.unref();
  }

  /** Leaves what is in the folders to the next process. */
  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
    this.name = undefined;
    for (const name of [...this.own]) {
      await this.attempt(async () => {
        await this.removeEmpty(name);
        await rename(join(this.root, name), join(this.root, `left-${randomBytes(8).toString('hex')}`));
      });
      this.forget(name);
    }
  }

  /** Gives signs of life, and takes over what dead processes have left. Never rejects. */
  async look(): Promise<void> {
    await this.attempt(() => this.makeCurrent());
    for (const name of [...this.own]) await this.attempt(() => this.live(name));
    await this.attempt(async () => {
      const names = await readdir(this.root);
      for (const name of this.seen.keys()) if (!names.includes(name)) this.seen.delete(name);
      for (const name of names) if (await this.isFree(name)) await this.attempt(() => this.take(name));
    });
  }

  private async makeCurrent(): Promise<void> {
    if (this.name !== undefined) return;
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    await this.assertOurs();
    const name = this.newName();
    await mkdir(join(this.root, name), { mode: 0o700 });
    this.name = name;
  }

  /** Who can write there could have events sent that never happened. */
  private async assertOurs(): Promise<void> {
    const { uid, mode } = await lstat(this.root);
    const own = process.getuid?.();
    const isOurs = own === undefined || uid === own || own === 0;
    if (!isOurs && (mode & 0o002) !== 0) throw new Error(`${this.root} belongs to another user`);
  }

  /** Gives a sign of life. A folder that is gone was taken by another process. */
  private async live(name: string): Promise<void> {
    const now = new Date();
    try {
      if (name !== this.name) await this.removeEmpty(name);
      await utimes(join(this.root, name), now, now);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.forget(name);
      if (name !== this.name) return;
      this.name = undefined;
      await this.makeCurrent();
    }
  }

  private async isFree(name: string): Promise<boolean> {
    if (leftPattern.test(name)) return true;
    const [, place, pid] = namePattern.exec(name) ?? [];
    const path = join(this.root, name);
    if (place === undefined || ownFolders.has(path)) return false;
    if (place === here && (Number(pid) === process.pid || !isRunning(Number(pid)))) return true;
    // Clocks of machines differ, so that only a change counts.
    const status = await lstat(path).catch(() => undefined);
    const known = this.seen.get(name);
    const now = this.place.monotonic();
    if (status && known?.mtime === status.mtimeMs) return now - known.since >= silence;
    if (status) this.seen.set(name, { mtime: status.mtimeMs, since: now });
    return false;
  }

  private async take(name: string): Promise<void> {
    const taken = this.newName();
    try {
      await rename(join(this.root, name), join(this.root, taken));
    } catch (error) {
      this.forget(taken);
      // Another process was faster.
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    await this.place.onAdopt(join(this.root, taken));
  }

  private newName(): string {
    const name = `${here}-${process.pid}-${randomBytes(8).toString('hex')}`;
    this.own.add(name);
    ownFolders.add(join(this.root, name));
    return name;
  }

  private forget(name: string): void {
    this.own.delete(name);
    ownFolders.delete(join(this.root, name));
  }

  /** Removes a folder of events and those in it, unless there is something in them. */
  private async removeEmpty(name: string): Promise<void> {
    const folder = join(this.root, name);
    for (const inner of [...(await readdir(folder)).map((entry) => join(folder, entry)), folder]) {
      await rmdir(inner).catch((error: unknown) => {
        if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
      });
    }
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      // Another process has been faster.
      if (codeOf(error) !== 'ENOENT') this.place.onFailure(error);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: another user's process, which is running.
    return codeOf(error) !== 'ESRCH';
  }
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
