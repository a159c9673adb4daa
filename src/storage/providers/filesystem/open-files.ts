import type { Stats } from 'node:fs';
import type { StoredObject } from '../../storage.provider.js';
import type { FileHandle } from './file-system.js';
import { OpenFile } from './open-file.js';

/** Milliseconds that a file and its cached blocks stay open after the last reader has left. */
const idleTimeout = 500;
/** Number of idle open files; the one that has been idle longest is closed. */
const maxIdle = 16;

interface Shared {
  readonly path: string;
  readonly file: OpenFile;
  readonly size: number;
  readonly identity: string;
  users: number;
}

/** Files that are open for reading, or were recently: further readers share them. */
export class OpenFiles {
  private readonly files = new Map<string, Shared>();
  /** Files without a reader and the timers that close them, longest idle first. */
  private readonly idle = new Map<Shared, NodeJS.Timeout>();

  /**
   * @param status current status of the file at `path`.
   * @param open opens the file if it is not open yet; this object then owns the handle.
   */
  async open(
    path: string,
    status: Stats,
    open: () => Promise<{ handle: FileHandle; status: Stats }>,
  ): Promise<StoredObject> {
    const known = this.files.get(path);
    if (known?.identity === identityOf(status)) return this.use(known);
    this.forget(path);
    const { handle, status: opened } = await open();
    // A concurrent call may have opened the same file; both work, and each closes its own.
    const shared = {
      path,
      file: new OpenFile(handle, () => opened.size),
      size: opened.size,
      identity: identityOf(opened),
      users: 0,
    };
    this.files.set(path, shared);
    return this.use(shared);
  }

  /** The file has been removed or replaced: later readers must not share it. */
  forget(path: string): void {
    const shared = this.files.get(path);
    this.files.delete(path);
    if (shared?.users === 0) void this.close(shared);
  }

  /** Closes the files without readers. */
  async closeUnused(): Promise<void> {
    await Promise.all([...this.idle.keys()].map((shared) => this.close(shared)));
  }

  private use(shared: Shared): StoredObject {
    shared.users += 1;
    clearTimeout(this.idle.get(shared));
    this.idle.delete(shared);
    let closing: Promise<void> | undefined;
    return {
      size: shared.size,
      copy: (range, sink, signal) => shared.file.copy(range, sink, signal),
      close: () => (closing ??= this.leave(shared)),
    };
  }

  private async leave(shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    if (this.files.get(shared.path) !== shared) return this.close(shared);
    this.idle.set(shared, setTimeout(() => void this.close(shared), idleTimeout).unref());
    const [oldest] = this.idle.keys();
    if (oldest && this.idle.size > maxIdle) await this.close(oldest);
  }

  /** Never throws: the file was only read. */
  private async close(shared: Shared): Promise<void> {
    if (this.files.get(shared.path) === shared) this.files.delete(shared.path);
    clearTimeout(this.idle.get(shared));
    this.idle.delete(shared);
    await shared.file.close().catch(() => undefined);
  }
}

/** Changes whenever a file is replaced or modified. */
function identityOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
