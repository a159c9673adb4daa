import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink, Ingest } from '../../storage.provider.js';
import { moveInto } from './durable.js';
import { OpenFile } from './open-file.js';
import type { FileSystem } from './file-system.js';
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
  private readonly file: OpenFile;
  private written = 0;
  private state: 'open' | 'committed' | 'aborted' = 'open';

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly home: IngestHome,
  ) {
    this.file = new OpenFile(handle, () => this.written);
  }

  get size(): number {
    return this.written;
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      // A write may be short when the disk is nearly full; the next one then says why.
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await this.handle.write(chunk, done, chunk.length - done, this.written);
        done += bytesWritten;
        this.written += bytesWritten;
      }
    } catch (error) {
      throw toWriteError(error, 'write content');
    }
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  async commit(key: string): Promise<void> {
    if (this.state !== 'open') throw new StorageError('failed', 'the ingest has ended');
    try {
      // A file whose fsync failed once is lost: the kernel may call the next one good without having written anything.
      await this.handle.sync();
      const path = this.home.pathOf(key);
      await moveInto(this.home.files, this.path, path, (again) => this.home.prepare(path, again));
      this.state = 'committed';
    } catch (error) {
      await this.abort();
      throw toWriteError(error, 'commit content');
    }
    this.home.forget(this.path);
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
