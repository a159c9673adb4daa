import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { StoredObject } from '../../storage.provider.js';
import { OpenFile } from './open-file.js';

/** Milliseconds that a file stays open after its last reader, with what has been read of it, for the next. */
const linger = 500;
/** Files that stay open so; the one that has waited longest makes way. */
const maxLingering = 16;

interface Shared {
  readonly path: string;
  readonly file: OpenFile;
  readonly size: number;
  readonly identity: string;
  users: number;
}

/** Files that are open for reading now, or were a moment ago: who opens one of them again shares it. */
export class OpenFiles {
  private readonly files = new Map<string, Shared>();
  /** Those without a reader, and what closes them; the one that has waited longest first. */
  private readonly lingering = new Map<Shared, NodeJS.Timeout>();

  /**
   * @param path the file that `status` is of, as it is now.
   * @param open opens it, when it is not open yet; the handle is then this object's.
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
    // Another may have opened the same file meanwhile; either serves, and each closes its own.
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

  /** The file is gone, or another has its name: nobody else opens this one. */
  forget(path: string): void {
    const shared = this.files.get(path);
    this.files.delete(path);
    if (shared?.users === 0) void this.close(shared);
  }

  /** Closes the files that nobody reads. */
  async closeUnused(): Promise<void> {
    await Promise.all([...this.lingering.keys()].map((shared) => this.close(shared)));
  }

  private use(shared: Shared): StoredObject {
    shared.users += 1;
    clearTimeout(this.lingering.get(shared));
    this.lingering.delete(shared);
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
    this.lingering.set(shared, setTimeout(() => void this.close(shared), linger).unref());
    const [oldest] = this.lingering.keys();
    if (oldest && this.lingering.size > maxLingering) await this.close(oldest);
  }

  /** Never throws: nothing was written to it. */
  private async close(shared: Shared): Promise<void> {
    if (this.files.get(shared.path) === shared) this.files.delete(shared.path);
    clearTimeout(this.lingering.get(shared));
    this.lingering.delete(shared);
    await shared.file.close().catch(() => undefined);
  }
}

/** Changes whenever a file is replaced, or written to by somebody else. */
function identityOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
