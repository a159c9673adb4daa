import { Logger } from '@nestjs/common';
import { join } from 'node:path';
import { isKey } from '../../keys.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import type { ObjectEntry } from '../../storage.provider.js';
import { errorCode, type FileSystem } from './file-system.js';
import { toStorageError } from './storage-errors.js';

/** Maximum number of unreadable folders that are remembered. */
const maxUnreadable = 1000;

interface Name {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Lists the objects below a root. A folder that this process may not read is left out, and named in the log once. */
export class Listing {
  private readonly logger = new Logger('FilesystemProvider');
  private readonly reported = new Set<string>();
  /** Keys of the folders that were left out and may hold objects; no key of this program has a part that begins with a dot. */
  private readonly leftOut = new Set<string>();

  /** @param stat looks up one object. */
  constructor(
    private readonly files: FileSystem,
    private readonly stat: (key: string) => Promise<ObjectEntry>,
  ) {}

  /** Whether the latest list left out a folder below `prefix`. */
  isIncomplete(prefix: string): boolean {
    return [...this.leftOut].some((key) => key === prefix || key.startsWith(`${prefix}/`));
  }

  /** One loop for all folders, since nested generators cost a promise per level and object. */
  async *entries(root: string, prefix: string): AsyncGenerator<ObjectEntry> {
    for (const key of this.leftOut) if (key === prefix || key.startsWith(`${prefix}/`)) this.leftOut.delete(key);
    const namesOf = (key: string) => this.namesIn(join(root, key), key);
    const folders = [{ key: prefix, names: namesOf(prefix) }];
    try {
      for (let folder = folders.at(-1); folder; folder = folders.at(-1)) {
        const next = await folder.names.next();
        if (next.done === true) {
          folders.pop();
          continue;
        }
        const name = next.value;
        const key = `${folder.key}/${name.name}`;
        if (!isKey(key)) continue;
        if (name.isDirectory()) folders.push({ key, names: namesOf(key) });
        const entry = name.isFile() ? await this.find(root, key) : undefined;
        if (entry) yield entry;
      }
    } finally {
      for (const { names } of folders) await names.return(undefined);
    }
  }

  /** @param key of the folder; none if it holds no objects. */
  async *namesIn(folder: string, key?: string): AsyncGenerator<Name> {
    try {
      yield* await this.files.opendir(folder);
    } catch (error) {
      if (isDenied(error)) {
        this.leaveOut(folder, key, error);
        return;
      }
      const failure = toStorageError(error, 'list objects');
      if (failure.kind !== 'not-found') throw failure;
    }
  }

  private async find(root: string, key: string): Promise<ObjectEntry | undefined> {
    try {
      return await orAbsent(this.stat(key));
    } catch (error) {
      const folder = key.slice(0, key.lastIndexOf('/'));
      if (!isDenied(error) || !(await this.isClosed(join(root, folder)))) throw error;
      this.leaveOut(join(root, folder), folder, error);
      return undefined;
    }
  }

  /** Whether the names in a folder can be read, and nothing that they name. */
  private async isClosed(folder: string): Promise<boolean> {
    try {
      await (await this.files.opendir(`${folder}/.`)).close();
      return false;
    } catch (error) {
      return isDenied(error);
    }
  }

  private leaveOut(folder: string, key: string | undefined, error: unknown): void {
    const isForeign = key === undefined || key.split('/').some((part) => part.startsWith('.'));
    if (!isForeign && this.leftOut.size < maxUnreadable) this.leftOut.add(key);
    if (this.reported.size >= maxUnreadable || this.reported.has(folder)) return;
    this.reported.add(folder);
    this.logger.warn(`${folder} cannot be read (${codeOf(error)}) and is left out of sweeps and lists`);
  }
}

function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return errorCode(error instanceof StorageError ? error.cause : error);
}
