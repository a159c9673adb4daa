import { basename, dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { FileSystem } from '../file-system.js';
import { insertName, placeBehind, removeName } from './sorted-names.js';
import { toStorageError } from '../storage-errors.js';

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
  readonly sorted: string[];
  /** The folder's modification time, in milliseconds. */
  modified: number;
  /** Whether a change of another process cannot be missing. */
  readonly isCertain: boolean;
}

interface Change {
  readonly name: string;
  readonly isAdded: boolean;
}

/**
 * The sorted names in large folders. What is in memory counts as long as the folder has the time it had then, so that
 * what other processes write shows at once. The only writer also keeps it current through its own changes; if somebody
 * else writes at the same moment after all, that shows some seconds later.
 */
export class FolderNames {
  private readonly known = new LRUCache<string, Names>({ maxSize: memory });
  /** Own changes of a folder while it is being read. */
  private readonly journals = new Map<string, Set<Change[]>>();
  /** How many own changes of a folder are in progress. */
  private readonly changing = new Map<string, number>();
  private readonly checking = new Set<string>();
  private changes = 0;

  /** @param isAlone whether no other process writes here */
  constructor(
    private readonly files: FileSystem,
    private readonly isAlone = false,
  ) {}

  /** @param path of a folder; none has no names. @throws StorageError */
  async list(path: string, after: string | undefined, limit: number): Promise<string[]> {
    try {
      const sorted = await this.namesOf(path);
      const start = after === undefined ? 0 : placeBehind(sorted, after);
      return sorted.slice(start, start + limit);
    } catch (error) {
      const failure = toStorageError(error, 'list objects');
      if (failure.kind !== 'not-found') throw failure;
      return [];
    }
  }

  /** Does what adds or removes a file, and has its name in or out of memory afterwards. */
  async change<T>(path: string, isAdded: boolean, action: () => Promise<T>): Promise<T> {
    const folder = dirname(path);
    if (!this.isAlone || !(this.known.has(folder) || this.journals.has(folder))) return action();
    this.changing.set(folder, (this.changing.get(folder) ?? 0) + 1);
    this.changes += 1;
    try {
      const result = await action();
      await this.note(folder, { name: basename(path), isAdded });
      return result;
    } catch (error) {
      this.known.delete(folder);
      throw error;
    } finally {
      this.changes += 1;
      const others = (this.changing.get(folder) ?? 1) - 1;
      if (others === 0) this.changing.delete(folder);
      else this.changing.set(folder, others);
    }
  }

  private async note(folder: string, change: Change): Promise<void> {
    for (const journal of this.journals.get(folder) ?? []) journal.push(change);
    const names = this.known.get(folder);
    if (!names) return;
    apply(names.sorted, change);
    const { mtimeMs } = await this.files.lstat(folder);
    const modified = Math.max(names.modified, mtimeMs);
    this.keep(folder, { sorted: names.sorted, modified, isCertain: false });
  }

  private async namesOf(path: string): Promise<readonly string[]> {
    const before = this.changes;
    const status = await this.files.lstat(path);
    if (!status.isDirectory()) return [];
    const { mtimeMs: modified } = status;
    const known = this.known.get(path);
    const isChanging = this.isAlone && (this.changing.has(path) || this.changes !== before);
    if (!known || (known.modified !== modified && !isChanging)) return this.read(path, modified);
    if (!known.isCertain && isSettled(known.modified)) this.check(path);
    return known.sorted;
  }

  /** Reads the folder in the background, once. */
  private check(path: string): void {
    if (this.checking.has(path)) return;
    this.checking.add(path);
    this.files
      .lstat(path)
      .then(({ mtimeMs }) => this.read(path, mtimeMs))
      .finally(() => this.checking.delete(path))
      .catch(() => this.known.delete(path));
  }

  /** @param modified the folder's time before it is read */
  private async read(path: string, modified: number): Promise<readonly string[]> {
    const journal: Change[] = [];
    const journals = this.journals.get(path) ?? new Set();
    this.journals.set(path, journals.add(journal));
    try {
      const isCertain = isSettled(modified);
      const names = await this.files.readdir(path);
      const sorted = names.filter((name) => component.test(name)).sort();
      for (const change of journal) apply(sorted, change);
      const isWorthwhile = sorted.length >= worthwhile && (isCertain || this.isAlone);
      if (isWorthwhile) this.keep(path, { sorted, modified, isCertain: isCertain && journal.length === 0 });
      else this.known.delete(path);
      return sorted;
    } finally {
      journals.delete(journal);
      if (journals.size === 0) this.journals.delete(path);
    }
  }

  private keep(path: string, names: Names): void {
    const [first = '', last = ''] = [names.sorted[0], names.sorted.at(-1)];
    const size = names.sorted.length * ((first.length + last.length) / 2 + nameCost);
    this.known.set(path, names, { size: Math.ceil(size) + 1 });
  }
}

function apply(sorted: string[], { name, isAdded }: Change): void {
  if (isAdded) insertName(sorted, name);
  else removeName(sorted, name);
}

function isSettled(modified: number): boolean {
  return Math.abs(Date.now() - modified) > settled;
}
