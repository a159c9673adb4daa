import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isKey } from '../../keys.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import { StorageProvider, type ObjectEntry, type StoredObject } from '../../storage.provider.js';
import { errorCode, makeFolder, moveInto, syncFolder } from './durable.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { Folders } from './folders.js';
import { OpenFiles } from './open-files.js';
import { FilesystemIngest } from './filesystem.ingest.js';
import { toStorageError, toWriteError } from './storage-errors.js';

/** Milliseconds that an object has been there, or unused, when its folder goes with it: others will be needed again. */
const settled = 3_600_000;

const ingestName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Keeps objects as files below a root folder; one fsync for the file and one for its folder per commit. */
export class FilesystemProvider extends StorageProvider {
  private folders: Folders;
  private readonly ingesting = new Set<string>();
  private readonly openFiles = new OpenFiles();

  /** @param umask permissions that files and folders do not get; by default only their owner has any. */
  constructor(
    root: string,
    private readonly files: FileSystem = nodeFileSystem,
    private readonly umask = 0o077,
  ) {
    super();
    this.folders = this.foldersOf(resolve(root));
  }

  private get root(): string {
    return this.folders.root;
  }

  private get ingestFolder(): string {
    return join(this.root, 'ingest');
  }

  async initialize(): Promise<void> {
    try {
      await makeFolder(this.files, this.ingestFolder, 0o777 & ~this.umask);
      // The root itself may be a link; nothing below it may.
      this.folders = this.foldersOf(await this.files.realpath(this.root));
      await this.folders.prepare(join(this.ingestFolder, 'probe'));
      const probe = join(this.ingestFolder, randomUUID());
      const handle = await this.createFile(probe);
      await handle.sync().finally(() => handle.close());
      await this.files.unlink(probe);
      await syncFolder(this.files, this.ingestFolder);
    } catch (error) {
      const reason = error instanceof StorageError ? error.message : (errorCode(error) ?? 'unknown error');
      throw new StorageError('failed', `cannot write to ${this.root} (${reason})`, error);
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

  async write(key: string, content: Uint8Array): Promise<void> {
    const ingest = await this.createIngest();
    try {
      await ingest.append(content);
      await ingest.commit(key);
    } finally {
      await ingest.abort();
      await ingest.close();
    }
  }

  /** A hard link is made or refused in one step, on network file systems too, and what it names is whole. */
  async create(key: string, content: Uint8Array): Promise<boolean> {
    const ingest = await this.createIngest();
    try {
      await ingest.append(content);
      return await ingest.commitNew(key);
    } finally {
      await ingest.abort();
      await ingest.close();
    }
  }

  get isExclusive(): boolean {
    return true;
  }

  async move(from: string, to: string): Promise<void> {
    try {
      const [source, target] = [await this.locate(from), this.pathOf(to)];
      await moveInto(this.files, source, target, (again) => this.prepare(target, again));
      await syncFolder(this.files, dirname(source)).catch((error: unknown) => {
        // It has become empty, and was removed.
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
      if (!status.isFile()) throw new StorageError('not-found', 'there is no such object');
      return await this.openFiles.open(path, status, () => this.openFile(key));
    } catch (error) {
      throw toStorageError(error, 'open an object');
    }
  }

  async stat(key: string): Promise<ObjectEntry> {
    try {
      const status = await this.files.lstat(await this.locate(key));
      if (!status.isFile()) throw new StorageError('not-found', 'there is no such object');
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
      if (mtimeMs < Date.now() - settled) await this.folders.removeEmpty(path);
    } catch (error) {
      const failure = toStorageError(error, 'delete an object');
      if (failure.kind !== 'not-found') throw failure;
    }
  }

  /** One loop for all folders, for generators inside generators cost a promise for each level and object. */
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

  async createIngest(): Promise<FilesystemIngest> {
    const path = join(this.ingestFolder, randomUUID());
    this.ingesting.add(path);
    try {
      const { files } = this;
      const home = {
        files,
        pathOf: (key: string) => this.pathOf(key),
        prepare: (target: string, again: boolean) => this.prepare(target, again),
        forget: (gone: string) => void this.ingesting.delete(gone),
      };
      return new FilesystemIngest(path, await this.createFile(path), home);
    } catch (error) {
      this.ingesting.delete(path);
      throw toWriteError(error, 'begin to write');
    }
  }

  async sweepIngests(age: number): Promise<number> {
    const oldest = Date.now() - age;
    let swept = 0;
    for await (const entry of this.namesIn(this.ingestFolder)) {
      const path = join(this.ingestFolder, entry.name);
      // Only names that this provider gives: foreign files are not ours to delete.
      if (this.ingesting.has(path) || !entry.isFile() || !ingestName.test(entry.name)) continue;
      try {
        if ((await this.files.lstat(path)).mtimeMs >= oldest) continue;
        await this.files.unlink(path);
        swept += 1;
      } catch (error) {
        // Another replica on the same folder may have swept it.
        if (errorCode(error) !== 'ENOENT') throw toWriteError(error, 'sweep the ingest folder');
      }
    }
    return swept;
  }

  close(): Promise<void> {
    return this.openFiles.closeUnused();
  }

  private pathOf(key: string): string {
    if (!isKey(key)) throw new StorageError('failed', 'the key is malformed');
    return join(this.root, key);
  }

  private async openFile(key: string): Promise<{ handle: FileHandle; status: Stats }> {
    try {
      const handle = await this.files.open(await this.locate(key), O_RDONLY | O_NOFOLLOW);
      try {
        const status = await handle.stat();
        if (!status.isFile()) throw new StorageError('not-found', 'there is no such object');
        return { handle, status };
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw toStorageError(error, 'open an object');
    }
  }

  /** @param again the folder was there once and is not any more. */
  private prepare(path: string, again: boolean): Promise<void> {
    if (again) this.folders.forget();
    return this.folders.prepare(path);
  }

  /** Where an object is, unless its folder is absent or reached through a link. */
  private async locate(key: string): Promise<string> {
    const path = this.pathOf(key);
    if (await this.folders.contain(path)) return path;
    throw new StorageError('not-found', 'there is no such object');
  }

  private foldersOf(root: string): Folders {
    return new Folders(this.files, root, 0o777 & ~this.umask);
  }

  /** Makes a file that was not there. */
  private async createFile(path: string): Promise<FileHandle> {
    const open = () => this.files.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666 & ~this.umask);
    try {
      return await open();
    } catch (error) {
      // Somebody removed the folder while the process runs.
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
