import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { ChunkSink, Ingest, Taken } from '../../../storage/storage.provider.js';

/** Bytes kept in memory when the storage takes no more; the slowest reader then limits the download. */
const windowLimit = 1024 * 1024;

/** A reader of the buffer. It no longer needs the bytes before `position`. */
export interface BufferReader {
  position: number;
}

/** The storage takes no more bytes, and there is no reader for them. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

interface Chunk {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * The received bytes of a download, for any number of readers at their own speed: an ingest file, followed by a small
 * window in memory when the storage fails, for example because the disk is full (P10).
 */
export class DownloadBuffer {
  private window: Chunk[] = [];
  private windowBytes = 0;
  private trimmed = false;
  private onSpace: (() => void) | undefined;
  private failure: StorageError | undefined;
  private received = 0;

  /** @param readers the current readers; the caller calls `trim` after removing one. */
  constructor(
    private ingest: Ingest | StorageError,
    private readonly readers: ReadonlySet<BufferReader>,
  ) {
    if (ingest instanceof StorageError) this.failure = ingest;
  }

  /** Bytes received. */
  get size(): number {
    return this.received;
  }

  /** Why the storage does not hold all bytes; undefined while it does. */
  get storageFailure(): StorageError | undefined {
    return this.failure;
  }

  /** Whether a new reader can still read from the first byte. */
  get isWhole(): boolean {
    return !this.trimmed;
  }

  /** Restarts from the first byte, before any byte has been read. */
  restart(ingest: Ingest | StorageError): void {
    this.ingest = ingest;
    this.failure = ingest instanceof StorageError ? ingest : undefined;
    this.trimmed = false;
    this.window = [];
    this.windowBytes = 0;
    this.received = 0;
  }

  /** Appends what the storage takes without waiting. The caller may reuse the chunk, and appends the rest with `append`. */
  appendNow(chunk: Buffer): Taken {
    if (this.ingest instanceof StorageError || this.failure || !this.ingest.appendNow) return { bytes: 0 };
    try {
      const taken = this.ingest.appendNow(chunk);
      this.received += taken.bytes;
      return taken;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.failure = error;
      return { bytes: 0 };
    }
  }

  /** @throws AbandonedError when the storage has failed and there is no reader. */
  async append(chunk: Buffer): Promise<void> {
    const start = this.received;
    const stored = await this.store(chunk);
    const rest = chunk.subarray(stored);
    if (rest.length > 0) {
      await this.waitForSpace();
      // The caller does not reuse the chunk's buffer, so no copy is needed.
      this.window.push({ offset: start + stored, bytes: rest });
      this.windowBytes += rest.length;
    }
    this.received = start + chunk.length;
  }

  /** Copies received bytes. The reader must be among the readers, and at or before the range. */
  async copy(reader: BufferReader, range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    const end = range.offset + range.length;
    const onDisk = Math.min(end, this.ingest instanceof StorageError ? 0 : this.ingest.size) - range.offset;
    if (onDisk > 0 && !(this.ingest instanceof StorageError)) {
      await this.ingest.copy({ offset: range.offset, length: onDisk }, sink, signal);
      this.advance(reader, range.offset + onDisk);
    }
    for (let position = Math.max(range.offset, range.offset + onDisk); position < end;) {
      signal?.throwIfAborted();
      const chunk = this.window.find(({ offset, bytes }) => position >= offset && position < offset + bytes.length);
      if (!chunk) throw new AbandonedError('the bytes are no longer in memory');
      const bytes = chunk.bytes.subarray(position - chunk.offset, end - chunk.offset);
      await sink(bytes);
      position += bytes.length;
      this.advance(reader, position);
    }
  }

  /** Passes all bytes so far to the sink. @throws StorageError when the storage does not have them all */
  async readAll(sink: ChunkSink): Promise<void> {
    if (this.ingest instanceof StorageError) throw this.ingest;
    if (this.failure) throw this.failure;
    await this.ingest.copy({ offset: 0, length: this.received }, sink);
  }

  /** Tells that the reader no longer needs bytes before `position`. */
  advance(reader: BufferReader, position: number): void {
    reader.position = Math.max(reader.position, position);
    this.trim();
  }

  private async store(chunk: Buffer): Promise<number> {
    if (this.ingest instanceof StorageError || this.failure) return 0;
    const before = this.ingest.size;
    try {
      await this.ingest.append(chunk);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.failure = error;
    }
    return this.ingest.size - before;
  }

  private async waitForSpace(): Promise<void> {
    for (;;) {
      if (this.readers.size === 0) throw new AbandonedError('the storage is full and there is no reader');
      // Readers of a later range need none of these bytes, and do not advance until theirs arrive.
      this.trim();
      if (this.windowBytes < windowLimit) return;
      await new Promise<void>((resolve) => {
        this.onSpace = resolve;
      });
    }
  }

  /** Releases bytes in memory that all readers have passed. */
  trim(): void {
    if (this.failure === undefined) return;
    const slowest = Math.min(...[...this.readers].map(({ position }) => position));
    while (this.window[0] && this.window[0].offset + this.window[0].bytes.length <= slowest) {
      this.windowBytes -= this.window.shift()?.bytes.length ?? 0;
      this.trimmed = true;
    }
    if (this.windowBytes < windowLimit || this.readers.size === 0) this.onSpace?.();
  }
}
