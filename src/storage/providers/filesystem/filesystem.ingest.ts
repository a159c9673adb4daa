import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink, Ingest } from '../../storage.provider.js';
import { errorCode, linkInto, moveInto } from './durable.js';
import type { FileSystem } from './file-system.js';
import { GrowingFile } from './growing-file.js';
import { toWriteError } from './storage-errors.js';

/** What the provider lends to an ingest. */
export interface IngestHome {
  readonly files: FileSystem;
  pathOf(key: string): string;
  /** Makes the folder of a path below the root, or refuses it. @param again it has gone since. */
  prepare(path: string, again: boolean): Promise<void>;
  /** Called once when the file has its final name or is gone. */
  forget(path: string): void;
}

/** A file in `ingest/`, renamed to its key when its content has been verified. */
export class FilesystemIngest implements Ingest {
  private readonly file: GrowingFile;
  private state: 'open' | 'committed' | 'aborted' = 'open';

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly home: IngestHome,
  ) {
    this.file = new GrowingFile(handle, 'write content');
  }

  get size(): number {
    return this.file.size;
  }

  append(chunk: Uint8Array): Promise<void> {
    return this.file.append(chunk);
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  async commit(key: string): Promise<void> {
    await this.place(key, (path) =>
      moveInto(this.home.files, this.path, path, (again) => this.home.prepare(path, again)),
    );
    this.state = 'committed';
    this.home.forget(this.path);
  }

  /** As `commit`, unless there is something under the key already: then nothing is changed. @returns whether it did */
  async commitNew(key: string): Promise<boolean> {
    try {
      await this.place(key, (path) =>
        linkInto(this.home.files, this.path, path, (again) => this.home.prepare(path, again)),
      );
    } catch (error) {
      if (error instanceof StorageError && errorCode(error.cause) === 'EEXIST') return false;
      throw error;
    }
    // Its other name is not needed any more.
    await this.abort();
    return true;
  }

  private async place(key: string, into: (path: string) => Promise<void>): Promise<void> {
    if (this.state !== 'open') throw new StorageError('failed', 'the ingest has ended');
    try {
      // A file whose fsync failed once is lost: the kernel may call the next one good without having written anything.
      await this.file.flush();
      await this.handle.sync();
      await into(this.home.pathOf(key));
    } catch (error) {
      await this.abort();
      throw toWriteError(error, 'commit content');
    }
  }

  async abort(): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'aborted';
    // What cannot be removed now is swept later.
    await this.home.files.unlink(this.path).catch(() => undefined);
    this.home.forget(this.path);
  }

  async close(): Promise<void> {
    await this.file.close().catch(() => undefined);
  }
}
