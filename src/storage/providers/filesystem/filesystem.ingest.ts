import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink, Ingest, Taken } from '../../storage.provider.js';
import { linkInto, linkQuickly, moveInto, moveQuickly } from './durable.js';
import { EarlyFlush } from './early-flush.js';
import { errorCode, type FileHandle, type FileSystem } from './file-system.js';
import { GrowingFile } from './growing-file.js';
import { toWriteError } from './storage-errors.js';

/** What an ingest needs from its provider. */
export interface IngestContext {
  readonly files: FileSystem;
  pathOf(key: string): string;
  /** Creates or refuses the folder of a path below the root. @param isRetry the folder has been removed since. */
  prepare(path: string, isRetry: boolean): Promise<void>;
  /** Called once, after the file has been renamed or removed. */
  forget(path: string): void;
}

/** A file in `ingest/` that `commit` renames to its key. */
export class FilesystemIngest implements Ingest {
  private readonly file: GrowingFile;
  private readonly early: EarlyFlush;
  private state: 'open' | 'committed' | 'aborted' = 'open';

  /** @param size bytes that the file already has. */
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly context: IngestContext,
    size = 0,
  ) {
    this.file = new GrowingFile(handle, (error) => toWriteError(error, 'write content'), size);
    this.early = new EarlyFlush(handle, size);
  }

  get size(): number {
    return this.file.size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.file.append(chunk);
    this.flushEarly();
  }

  /** @throws StorageError when the system could not write earlier bytes */
  appendNow(chunk: Uint8Array): Taken {
    this.flushEarly();
    return this.file.appendNow(chunk);
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  /** Makes appended bytes outlive the process, but not a power failure. @throws StorageError as `append` */
  async flush(): Promise<void> {
    this.checkOpen();
    await this.file.flush();
  }

  /** @param isDurable whether it has to outlive a power failure. */
  async commit(key: string, isDurable = true): Promise<void> {
    await this.place(key, isDurable ? moveInto : moveQuickly, isDurable);
    this.state = 'committed';
    this.context.forget(this.path);
  }

  /** As `commit`, but changes nothing when the key exists. @returns whether it was committed */
  async commitNew(key: string, isDurable = true): Promise<boolean> {
    try {
      await this.place(key, isDurable ? linkInto : linkQuickly, isDurable);
    } catch (error) {
      if (error instanceof StorageError && errorCode(error.cause) === 'EEXIST') return false;
      throw error;
    }
    // Removes the original name.
    await this.abort();
    return true;
  }

  private flushEarly(): void {
    try {
      this.early.progress(this.file.inFile);
    } catch (error) {
      throw toWriteError(error, 'write content');
    }
  }

  private checkOpen(): void {
    if (this.state !== 'open') throw new StorageError('failed', 'the ingest has ended');
  }

  private async place(key: string, into: typeof moveInto, isDurable: boolean): Promise<void> {
    this.checkOpen();
    try {
      // A failed fsync is final: the kernel may report the next one as successful without having written anything.
      await this.file.flush();
      await this.early.settle();
      if (isDurable) await this.handle.sync();
      const { files } = this.context;
      const path = this.context.pathOf(key);
      await into(files, this.path, path, (isRetry) => this.context.prepare(path, isRetry));
    } catch (error) {
      await this.abort();
      throw toWriteError(error, 'commit content');
    }
  }

  async abort(): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'aborted';
    // The sweep removes the file if this fails.
    await this.context.files.unlink(this.path).catch(() => undefined);
    this.context.forget(this.path);
  }

  async close(): Promise<void> {
    await this.early.settle().catch(() => undefined);
    await this.file.close().catch(() => undefined);
  }
}
