import { LRUCache } from 'lru-cache';
import type { FileSystem } from './file-system.js';
import { toStorageError } from './storage-errors.js';

/** Bytes of names in memory: those of 100,000 tags of ten characters are about 1 MiB. */
const memory = 16 * 1024 * 1024;
/** Estimated cost of a cached name beside its characters, in bytes. */
const nameCost = 24;
/** Milliseconds: times of folders have steps, so a change soon after another may not show. */
const settled = 2_000;
/** Fewest names worth a place in memory; fewer are read as fast as their folder's time. */
const worthwhile = 200;

/** Foreign names are left out. */
const component = /^[a-z0-9._-]+$/;

interface Names {
  readonly sorted: readonly string[];
  /** The folder's modification time, in milliseconds. */
  readonly modified: number;
}

/**
 * The sorted names in large folders. What is in memory counts as long as the folder has the time it had then, so that
 * what other processes write shows at once.
 */
export class FolderNames {
  private readonly known = new LRUCache<string, Names>({ maxSize: memory });

  constructor(private readonly files: FileSystem) {}

  /** @param path of a folder; none has no names. @throws StorageError */
  async list(path: string, after: string | undefined, limit: number): Promise<string[]> {
    try {
      const sorted = await this.namesOf(path);
      const start = after === undefined ? 0 : placeBehind(sorted, after);
      return sorted.slice(start, start + limit);
    } catch (error) {
      const failure = toStorageError(error, 'list objects');
      if (failure.kind === 'not-found') return [];
      throw failure;
    }
  }

  private async namesOf(path: string): Promise<readonly string[]> {
    const status = await this.files.lstat(path);
    if (!status.isDirectory()) return [];
    const { mtimeMs: modified } = status;
    const known = this.known.get(path);
    if (known?.modified === modified) return known.sorted;
    const isSettled = Math.abs(Date.now() - modified) > settled;
    const names = await this.files.readdir(path);
    const sorted = names.filter((name) => component.test(name)).sort();
    const size = sorted.reduce((bytes, name) => bytes + name.length + nameCost, 1);
    if (isSettled && sorted.length >= worthwhile) this.known.set(path, { sorted, modified }, { size });
    else this.known.delete(path);
    return sorted;
  }
}

/** The index of the first name behind a text. */
function placeBehind(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > text) high = middle;
    else low = middle + 1;
  }
  return low;
}
