import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { checkKey } from '../../keys.js';
import { notFound, StorageError } from '../../storage-error.js';
import {
  StorageProvider,
  type ObjectEntry,
  type ResumableIngests,
  type StoredObject,
  type WriteOptions,
} from '../../storage.provider.js';
import { flushFoldersAbove, makeFolder, moveInto, syncFolder } from './durable.js';
import { errorCode, nodeFileSystem, type FileHandle, type FileSystem } from './file-system.js';
import { FolderNames } from './names/folder-names.js';
import { Folders } from './folders.js';
import { OpenFiles } from './open-files.js';
import { FilesystemIngest, type IngestContext } from './filesystem.ingest.js';
import { FilesystemIngests } from './filesystem.ingests.js';
import { Listing } from './listing.js';
import { Permissions } from './permissions.js';
import { toStorageError, toWriteError } from './storage-errors.js';

/** Age in milliseconds from which deleting an object also removes its empty folders; recent ones are likely reused. */
const folderAge = 3_600_000;

const ingestName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What file systems without hard links respond. */
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK']);

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Keeps objects as files below a root folder; each commit syncs the file and its folder. */
export class FilesystemProvider extends StorageProvider {
  private readonly logger = new Logger(FilesystemProvider.name);
  private folders: Folders;
  private readonly ingesting = new Set<string>();
  private readonly openFiles = new OpenFiles();
  private readonly names: FolderNames;
  private readonly context: IngestContext;
  private readonly ingests: FilesystemIngests;

  private readonly permissions: Permissions;
  private readonly listing: Listing;
  private hasLinks = true;

  /**
   * @param umask permissions removed from files and folders; by default only the owner has access.
   * @param isAlone whether no other process writes here.
   */
  constructor(
    root: string,
    private readonly files: FileSystem = nodeFileSystem,
    umask = 0o077,
    isAlone = false,
  ) {
    super();
    this.permissions = new Permissions(umask);
    this.listing = new Listing(files, (key) => this.stat(key));
    this.folders = this.foldersOf(resolve(root));
    this.names = new FolderNames(files, isAlone);
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
      await this.makeIngestFolder().catch((error: unknown) => {
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
      const owner = errorCode(error) === 'EACCES' ? await this.describeOwner() : '';
      throw new StorageError('failed', `cannot write to ${this.root} (${reason})${owner}`, error);
    }
  }

  private async makeIngestFolder(): Promise<void> {
    await makeFolder(this.files, this.ingestFolder, this.permissions);
    await flushFoldersAbove(this.files, join(this.ingestFolder, 'any'));
  }

  /** Why access is denied, when the root belongs to another user, as after a change of the user or of --umask. */
  private async describeOwner(): Promise<string> {
    const own = process.geteuid?.();
    for (const folder of [this.ingestFolder, this.root]) {
      const status = await this.files.lstat(folder).catch(() => undefined);
      if (!status || status.uid === own) continue;
      const mode = (status.mode & 0o7777).toString(8).padStart(4, '0');
      return `: ${folder} has mode ${mode}, owner ${status.uid} and group ${status.gid}, and this process runs as user ${own}`;
    }
    return '';
  }

  private async tryWriting(): Promise<void> {
    await this.folders.prepare(join(this.ingestFolder, 'probe'));
    const probe = join(this.ingestFolder, randomUUID());
    const handle = await this.createFile(probe);
    try {
      await handle.write(Buffer.from('probe'));
      await handle.sync();
      this.hasLinks = await this.canLink(probe);
    } finally {
      await handle.close();
      await this.files.unlink(probe);
    }
    await syncFolder(this.files, this.ingestFolder);
  }

  private async canLink(file: string): Promise<boolean> {
    const link = join(this.ingestFolder, randomUUID());
    try {
      await this.files.link(file, link);
      await this.files.unlink(link);
      return true;
    } catch (error) {
      if (!withoutLinks.has(errorCode(error) ?? '')) throw error;
      this.logger.warn(
        `the file system has no hard links (${errorCode(error)}): replicas cannot coordinate, and each one downloads`,
      );
      return false;
    }
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
    const write = () => this.ingestAll(content, (ingest) => ingest.commit(key, isDurable));
    await this.names.change(this.pathOf(key), true, write);
  }

  /** Creating a hard link is atomic, also on network file systems. */
  async create(key: string, content: Uint8Array, { isDurable = true }: WriteOptions = {}): Promise<boolean> {
    const create = () => this.ingestAll(content, (ingest) => ingest.commitNew(key, isDurable));
    return this.names.change(this.pathOf(key), true, create);
  }

  get isExclusive(): boolean {
    return this.hasLinks;
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
      const path = await this.locate(key);
      const now = new Date();
      await this.files.lutimes(path, now, now).catch((error: unknown) => {
        if (errorCode(error) !== 'EPERM') throw error;
        return this.touchForeign(path);
      });
    } catch (error) {
      throw toStorageError(error, 'touch an object');
    }
  }

  /** Only its owner may set the times of a file; others who may write it can have the system do so. */
  private async touchForeign(path: string): Promise<void> {
    const handle = await this.files.open(path, O_WRONLY | O_NOFOLLOW);
    try {
      // Setting the size that it has changes nothing but the time; stored objects never change their size.
      await handle.truncate((await handle.stat()).size);
    } finally {
      await handle.close();
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
      await this.names.change(path, false, () => this.files.unlink(path));
      this.openFiles.forget(path);
      if (mtimeMs < Date.now() - folderAge) await this.folders.removeEmpty(path);
    } catch (error) {
      const failure = toStorageError(error, 'delete an object');
      if (failure.kind !== 'not-found') throw failure;
    }
  }

  list(prefix: string): AsyncIterable<ObjectEntry> {
    return this.listing.entries(this.root, checkKey(prefix));
  }

  override isIncomplete(prefix: string): boolean {
    return this.listing.isIncomplete(prefix);
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
    let failure: unknown;
    for await (const entry of this.listing.namesIn(this.ingestFolder)) {
      const path = join(this.ingestFolder, entry.name);
      // Foreign files are never removed.
      if (this.ingesting.has(path) || !entry.isFile() || !ingestName.test(entry.name)) continue;
      try {
        if ((await this.files.lstat(path)).mtimeMs >= oldest) continue;
        await this.files.unlink(path);
        swept += 1;
      } catch (error) {
        // Another replica may have removed it.
        if (errorCode(error) !== 'ENOENT') failure ??= error;
      }
    }
    if (failure !== undefined) throw toWriteError(failure, 'sweep the ingest folder');
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
    return new Folders(this.files, root, this.permissions);
  }

  /** Creates a file that must not exist yet. */
  private async createFile(path: string): Promise<FileHandle> {
    const open = async () => {
      const handle = await this.files.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, this.permissions.file);
      await this.permissions.setOnFile(handle);
      return handle;
    };
    try {
      return await open();
    } catch (error) {
      // The folder was removed while the process runs.
      if (errorCode(error) !== 'ENOENT') throw error;
      await this.prepare(path, true);
      return open();
    }
  }
}
