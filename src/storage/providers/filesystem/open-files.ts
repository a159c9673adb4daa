import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { StoredObject } from '../../storage.provider.js';
import { OpenFile } from './open-file.js';

interface Shared {
  readonly file: OpenFile;
  readonly size: number;
  readonly identity: string;
  users: number;
}

/** Files that are open for reading now: who opens one of them again shares it. */
export class OpenFiles {
  private readonly files = new Map<string, Shared>();

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
    if (known?.identity === identityOf(status)) return this.use(path, known);
    const { handle, status: opened } = await open();
    // Another may have opened the same file meanwhile; either serves, and each closes its own.
    const shared = {
      file: new OpenFile(handle, () => opened.size),
      size: opened.size,
      identity: identityOf(opened),
      users: 0,
    };
    this.files.set(path, shared);
    return this.use(path, shared);
  }

  private use(path: string, shared: Shared): StoredObject {
    shared.users += 1;
    let closing: Promise<void> | undefined;
    return {
      size: shared.size,
      copy: (range, sink, signal) => shared.file.copy(range, sink, signal),
      close: () => (closing ??= this.leave(path, shared)),
    };
  }

  private async leave(path: string, shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    if (this.files.get(path) === shared) this.files.delete(path);
    await shared.file.close();
  }
}

/** Changes whenever a file is replaced, or written to by somebody else. */
function identityOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
