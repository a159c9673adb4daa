import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkKey, isKey } from '../../keys.js';
import { notFound, orAbsent, StorageError } from '../../storage-error.js';
import {
  StorageProvider,
  type ObjectEntry,
  type ResumableIngests,
  type StoredObject,
  type WriteOptions,
} from '../../storage.provider.js';
import { errorCode, makeFolder, moveInto, syncFolder } from './durable.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { FolderNames } from './folder-names.js';
import { Folders } from './folders.js';
import { OpenFiles } from './open-files.js';
import { FilesystemIngest, type IngestContext } from './filesystem.ingest.js';
import { FilesystemIngests } from './filesystem.ingests.js';
import { toStorageError, toWriteError } from './storage-errors.js';

/** Age in milliseconds from which deleting an object also removes its empty folders; recent ones are likely reused. */
const folderAge = 3_600_000;

const ingestName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Keeps objects as files below a root folder; each commit syncs the file and its folder. */
export class FilesystemProvider extends StorageProvider {
  private readonly logger = new Logger(FilesystemProvider.name);
  private folders: Folders;
  private readonly ingesting = new Set<string>();
  private readonly openFiles = new OpenFiles();
  private readonly names: FolderNames;
  private readonly context: IngestContext;
  private readonly ingests: FilesystemIngests;

  /** @param umask permissions removed from files and folders; by default only the owner has access. */
  constructor(
    root: string,
    private readonly files: FileSystem = nodeFileSystem,
    private readonly umask = 0o077,
  ) {
    super();
    this.folders = this.foldersOf(resolve(root));
    this.names = new FolderNames(files);
    this.context = {
      files,
      pathOf: (key: string) => this.pathOf(key),
      prepare: (target: string, isRetry: boolean) => this.prepare(target, isRetry),
      forget: (ended: string) => void this.ingesting.delete(ended),
    };
    this.ingests = new FilesystemIngests({
      ...this.context,
      folder: () => this.ingestFolder,
      folderMode: 0o777 & ~umask,
      createFile: (path) => this.createFile(path),
    });
  }

  private get root(): string {
    return this.folders.root;
  }

  private get ingestFolder(): string {
    return join(this.root, 'ingest');
  }

  /** A disk that is full or read-only can still be read, so it is reported and used. */
  async initialize(): Promise<void> {
    try {
      await makeFolder(this.files, this.ingestFolder, 0o777 & ~this.umask).catch((error: unknown) => {
        if (toWriteError(error, '').kind !== 'full') throw error;
      });
      // Only the root itself may be a symbolic link.
      this.folders = this.foldersOf(await this.files.realpath(this.root));
      await this.tryWriting().catch((error: unknown) => {
        if (toWriteError(error, '').kind !== 'full') throw error;
        this.logger.warn(
          `nothing can be written to ${this.root} (${errorCode(error)}): stored content is served, nothing new is stored`,
        );
      });
    } catch (error) {
      const reason = error instanceof StorageError ? error.message : (errorCode(error) ?? 'unknown error');
      throw new StorageError('failed', `cannot write to ${this.root} (${reason})`, error);
    }
  }

  private async tryWriting(): Promise<void> {
    await this.folders.prepare(join(this.ingestFolder, 'probe'));
    const probe = join(this.ingestFolder, randomUUID());
    const handle = await this.createFile(probe);
    try {
      await handle.write(Buffer.from('probe'));
      await handle.sync();
    } finally {
      await handle.close();
      await this.files.unlink(probe);
    }
    await syncFolder(this.files, this.ingestFolder);
  }

  async read(key: string, limit: number): Promise<Buffer> {
    const { handle, status } = await this.openFile(key);
    const { size } = status;
    try {
      if (size > limit) throw new StorageError('too-large', `the object has more than ${limit} bytes`);
      const content = Buffer.allocUnsafe(size);
      for (let done = 0; done < size;) {
        const { bytesRead } = await handle.read(content, done, size - done, done);
        if (bytesRead === 0) return content.subarray(0, done);
        done += bytesRead;
      }
      return content;
    } catch (error) {
      throw toStorageError(error, 'read an object');
    } finally {
      await handle.close();
    }
  }

  async write(key: string, content: Uint8Array, { isDurable = true }: WriteOptions = {}): Promise<void> {
    await this.ingestAll(content, (ingest) => ingest.commit(key, isDurable));
  }

  /** Creating a hard link is atomic, also on network file systems. */
  async create(key: string, content: Uint8Array, { isDurable = true }: WriteOptions = {}): Promise<boolean> {
    return this.ingestAll(content, (ingest) => ingest.commitNew(key, isDurable));
  }

  get isExclusive(): boolean {
    return true;
  }

  async move(from: string, to: string): Promise<void> {
    try {
      const [source, target] = [await this.locate(from), this.pathOf(to)];
      await moveInto(this.files, source, target, (isRetry) => this.prepare(target, isRetry));
      await syncFolder(this.files, dirname(source)).catch((error: unknown) => {
        // The folder was empty and has been removed.
        if (errorCode(error) !== 'ENOENT') throw error;
      });
    } catch (error) {
      throw toStorageError(error, 'move an object');
    }
  }

  async touch(key: string): Promise<void> {
    try {
      const now = new Date();
      await this.files.lutimes(await this.locate(key), now, now);
    } catch (error) {
      throw toStorageError(error, 'touch an object');
    }
  }

  async capacity(): Promise<number> {
    try {
      const { blocks, bsize } = await this.files.statfs(this.root);
      return blocks * bsize;
    } catch (error) {
      throw toStorageError(error, 'measure the disk');
    }
  }

  urlOf(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async open(key: string): Promise<StoredObject> {
    try {
      const path = await this.locate(key);
      const status = await this.files.lstat(path);
      if (!status.isFile()) throw notFound();
      return await this.openFiles.open(path, status, () => this.openFile(key));
    } catch (error) {
      throw toStorageError(error, 'open an object');
    }
  }

  async stat(key: string): Promise<ObjectEntry> {
    try {
      const status = await this.files.lstat(await this.locate(key));
      if (!status.isFile()) throw notFound();
      return { key, size: status.size, usedAt: status.mtime };
    } catch (error) {
      throw toStorageError(error, 'look up an object');
    }
  }

  async delete(key: string): Promise<void> {
    try {
      const path = await this.locate(key);
      const { mtimeMs } = await this.files.lstat(path);
      await this.files.unlink(path);
      this.openFiles.forget(path);
      if (mtimeMs < Date.now() - folderAge) await this.folders.removeEmpty(path);
    } catch (error) {
      const failure = toStorageError(error, 'delete an object');
      if (failure.kind !== 'not-found') throw failure;
    }
  }

  /** One loop for all folders, since nested generators cost a promise per level and object. */
  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    const folders = [{ key: prefix, names: this.namesIn(this.pathOf(prefix)) }];
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
        if (name.isDirectory()) folders.push({ key, names: this.namesIn(this.pathOf(key)) });
        const entry = name.isFile() ? await orAbsent(this.stat(key)) : undefined;
        if (entry) yield entry;
      }
    } finally {
      for (const { names } of folders) await names.return(undefined);
    }
  }

  override listNames(folder: string, after: string | undefined, limit: number): Promise<string[]> {
    return this.names.list(this.pathOf(folder), after, limit);
  }

  async createIngest(): Promise<FilesystemIngest> {
    const path = join(this.ingestFolder, randomUUID());
    this.ingesting.add(path);
    try {
      return new FilesystemIngest(path, await this.createFile(path), this.context);
    } catch (error) {
      this.ingesting.delete(path);
      throw toWriteError(error, 'begin to write');
    }
  }

  override get resumable(): ResumableIngests {
    return this.ingests;
  }

  async sweepIngests(age: number): Promise<number> {
    const oldest = Date.now() - age;
    let swept = 0;
    for await (const entry of this.namesIn(this.ingestFolder)) {
      const path = join(this.ingestFolder, entry.name);
      // Foreign files are never removed.
      if (this.ingesting.has(path) || !entry.isFile() || !ingestName.test(entry.name)) continue;
      try {
        if ((await this.files.lstat(path)).mtimeMs >= oldest) continue;
        await this.files.unlink(path);
        swept += 1;
      } catch (error) {
        // Another replica may have removed it.
        if (errorCode(error) !== 'ENOENT') throw toWriteError(error, 'sweep the ingest folder');
      }
    }
    return swept;
  }

  close(): Promise<void> {
    return this.openFiles.closeUnused();
  }

  private pathOf(key: string): string {
    return join(this.root, checkKey(key));
  }

  private async ingestAll<T>(content: Uint8Array, commit: (ingest: FilesystemIngest) => Promise<T>): Promise<T> {
    const ingest = await this.createIngest();
    try {
      await ingest.append(content);
      return await commit(ingest);
    } finally {
      await ingest.abort();
      await ingest.close();
    }
  }

  private async openFile(key: string): Promise<{ handle: FileHandle; status: Stats }> {
    try {
      const handle = await this.files.open(await this.locate(key), O_RDONLY | O_NOFOLLOW);
      try {
        const status = await handle.stat();
        if (!status.isFile()) throw notFound();
        return { handle, status };
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw toStorageError(error, 'open an object');
    }
  }

  /** @param isRetry the folder has been removed since it was prepared. */
  private prepare(path: string, isRetry: boolean): Promise<void> {
    if (isRetry) this.folders.forget();
    return this.folders.prepare(path);
  }

  /** The path of an object whose folder exists and is not reached through a link. @throws StorageError `not-found` */
  private async locate(key: string): Promise<string> {
    const path = this.pathOf(key);
    if (await this.folders.contain(path)) return path;
    throw notFound();
  }

  private foldersOf(root: string): Folders {
    return new Folders(this.files, root, 0o777 & ~this.umask);
  }

  /** Creates a file that must not exist yet. */
  private async createFile(path: string): Promise<FileHandle> {
    const open = () => this.files.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666 & ~this.umask);
    try {
      return await open();
    } catch (error) {
      // The folder was removed while the process runs.
      if (errorCode(error) !== 'ENOENT') throw error;
      await this.prepare(path, true);
      return open();
    }
  }

  private async *namesIn(folder: string): AsyncGenerator<{ name: string; isFile(): boolean; isDirectory(): boolean }> {
    try {
      yield* await this.files.opendir(folder);
    } catch (error) {
      const failure = toStorageError(error, 'list objects');
      if (failure.kind !== 'not-found') throw failure;
    }
  }
}
