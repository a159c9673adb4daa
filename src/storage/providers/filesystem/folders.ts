import { basename, dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import { StorageError } from '../../storage-error.js';
import { makeFolder } from './durable.js';
import { errorCode, type FileSystem } from './file-system.js';
import type { Permissions } from './permissions.js';

/** Number of folders cached as verified; a pull uses a handful. */
const maxKnown = 4096;

/** The folders below a root: created on demand, and never followed through symbolic links, which may lead anywhere. */
export class Folders {
  private readonly known = new LRUCache<string, true>(atMost(maxKnown));

  /**
   * @param root resolved, without links.
   * @param permissions of created folders.
   */
  constructor(
    private readonly files: FileSystem,
    readonly root: string,
    private readonly permissions: Permissions,
  ) {}

  /** Whether the folder of a path exists and is not reached through a link. */
  async contain(path: string): Promise<boolean> {
    const folder = dirname(path);
    if (this.known.has(folder)) return true;
    const real = await this.realOf(folder);
    if (real === folder) this.known.set(folder, true);
    return real === folder;
  }

  /** Creates the folder of a path. @throws StorageError when the path contains a symbolic link */
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
    if (existing !== folder || real === undefined) await makeFolder(this.files, folder, this.permissions);
    this.known.set(folder, true);
  }

  /** Removes the empty folders of a path, except those directly below the root. Never throws. */
  async removeEmpty(path: string): Promise<void> {
    for (let folder = dirname(path); dirname(folder).length > this.root.length; folder = dirname(folder)) {
      try {
        // The system refuses unless the folder is empty.
        await this.files.rmdir(folder);
      } catch {
        return;
      }
      this.known.delete(folder);
    }
  }

  /** Clears the cache, for when another process has changed the folders. */
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

/** @param real the resolved path of the folder, which differs from `folder`. */
function obstacle(real: string, folder: string): StorageError {
  const isSpelling = real.toLowerCase() === folder.toLowerCase();
  const what = isSpelling ? `a folder of the storage exists with another spelling: ${basename(real)}` : undefined;
  return new StorageError('failed', what ?? 'a folder of the storage is a symbolic link');
}
