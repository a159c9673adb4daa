import { basename, dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import { StorageError } from '../../storage-error.js';
import { errorCode, makeFolder } from './durable.js';
import type { FileSystem } from './file-system.js';

/** Folders remembered as being what they are called; a pull looks at a handful. */
const maxKnown = 4096;

/** The folders below a root: made when needed, and never reached through a symbolic link, which may lead anywhere. */
export class Folders {
  private readonly known = new LRUCache<string, true>({ max: maxKnown });

  /**
   * @param root without a link in it.
   * @param mode of folders that are made.
   */
  constructor(
    private readonly files: FileSystem,
    readonly root: string,
    private readonly mode: number,
  ) {}

  /** Whether the folder of a path is there, and is below the root in truth. */
  async contain(path: string): Promise<boolean> {
    const folder = dirname(path);
    if (this.known.has(folder)) return true;
    const real = await this.realOf(folder);
    if (real === folder) this.known.set(folder, true);
    return real === folder;
  }

  /** Makes the folder of a path. @throws StorageError when a link is in the way */
  async prepare(path: string): Promise<void> {
    const folder = dirname(path);
    if (this.known.has(folder)) return;
    let existing = folder;
    let real = await this.realOf(existing);
    while (real === undefined && existing.length > this.root.length) {
      existing = dirname(existing);
      real = await this.realOf(existing);
    }
    if (real !== undefined && real !== existing) throw obstacle(real, existing);
    if (existing !== folder || real === undefined) await makeFolder(this.files, folder, this.mode);
    this.known.set(folder, true);
  }

  /** Removes the folders of a path that hold nothing any more, but for those right below the root. Never throws. */
  async removeEmpty(path: string): Promise<void> {
    for (let folder = dirname(path); dirname(folder).length > this.root.length; folder = dirname(folder)) {
      try {
        // The system refuses while there is anything in it, whoever put it there and however lately.
        await this.files.rmdir(folder);
      } catch {
        return;
      }
      this.known.delete(folder);
    }
  }

  /** Looks again the next time: somebody has changed the folders under a running process. */
  forget(): void {
    this.known.clear();
  }

  private async realOf(folder: string): Promise<string | undefined> {
    try {
      return await this.files.realpath(folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }
}

/** @param real where the folder is in truth; elsewhere than its path says. */
function obstacle(real: string, folder: string): StorageError {
  const isSpelling = real.toLowerCase() === folder.toLowerCase();
  const what = isSpelling ? `a folder of the storage is there in another spelling: ${basename(real)}` : undefined;
  return new StorageError('failed', what ?? 'a symbolic link stands in the way of the storage');
}
