import { basename } from 'node:path';
import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink, ResumableIngest, Taken } from '../../storage.provider.js';
import type { FilesystemIngest } from './filesystem.ingest.js';

/** What an ingest needs from its provider. */
export interface ResumableFileContext {
  /** Undefined until there is a byte. */
  readonly file: FilesystemIngest | undefined;
  /** Path of the file that `file` is a copy of. */
  readonly replaced: string | undefined;
  create(): Promise<FilesystemIngest>;
  /** Never throws. */
  remove(path: string): Promise<void>;
  /** Removes every file of the id. Never throws. */
  removeAll(): Promise<void>;
  /** Called once, when the ingest is closed. */
  leave(): void;
}

/** A file that a later process can go on with. */
export class ResumableFile implements ResumableIngest {
  private file: FilesystemIngest | undefined;
  private replaced: string | undefined;
  /** Whether a checkpoint names the file. */
  private isRecorded: boolean;
  private hasEnded = false;
  private isClosed = false;

  constructor(private readonly context: ResumableFileContext) {
    this.file = context.file;
    this.replaced = context.replaced;
    this.isRecorded = context.file !== undefined && context.replaced === undefined;
  }

  get size(): number {
    return this.file?.size ?? 0;
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    await (await this.open()).append(chunk);
  }

  appendNow(chunk: Uint8Array): Taken {
    return this.hasEnded || this.isClosed || !this.file ? { bytes: 0 } : this.file.appendNow(chunk);
  }

  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    if (this.file) return this.file.copy(range, sink, signal);
    signal?.throwIfAborted();
    if (range.length > 0) throw new StorageError('damaged', 'the range exceeds the appended bytes');
  }

  async checkpoint(isPaused = false): Promise<string> {
    this.checkOpen();
    if (!this.file) return JSON.stringify({ size: 0 });
    await this.file.flush();
    // The caller has recorded the previous checkpoint, which names the copy.
    if (this.isRecorded && this.replaced !== undefined) await this.context.remove(this.replaced);
    if (this.isRecorded) this.replaced = undefined;
    this.isRecorded = true;
    return JSON.stringify({ file: basename(this.file.path), size: this.size, isPaused });
  }

  async commit(key: string): Promise<void> {
    this.checkOpen();
    // When it fails, another process may have resumed the bytes; otherwise `abort` removes them.
    await (await this.open()).commit(key);
    await this.end();
  }

  async abort(): Promise<void> {
    if (this.hasEnded) return;
    await this.file?.abort();
    await this.end();
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    // Nobody can know of the file.
    if (!this.hasEnded && !this.isRecorded) await this.file?.abort();
    await this.file?.close();
    this.context.leave();
  }

  private async open(): Promise<FilesystemIngest> {
    this.checkOpen();
    return (this.file ??= await this.context.create());
  }

  private checkOpen(): void {
    if (this.hasEnded || this.isClosed) throw new StorageError('failed', 'the ingest has ended');
  }

  private async end(): Promise<void> {
    this.hasEnded = true;
    await this.context.removeAll();
  }
}
