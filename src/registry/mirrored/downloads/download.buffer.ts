import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { ChunkSink, Ingest } from '../../../storage/storage.provider.js';

/** Bytes of a download kept in memory when the storage takes no more; the slowest reader then sets the pace. */
const windowLimit = 1024 * 1024;

/** A reader of the buffer. It no longer needs the bytes before `position`. */
export interface BufferReader {
  position: number;
}

/** Nobody reads what the storage could not take, so there is nothing left to do with it. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

interface Chunk {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * What a download has received, for any number of readers at their own speed. It is an ingest file; when the storage
 * fails, as on a full disk, it goes on in a small window of memory, so that readers still get their bytes (P10).
 */
export class DownloadBuffer {
  private window: Chunk[] = [];
  private windowBytes = 0;
  private trimmed = false;
  private makeRoom: (() => void) | undefined;
  private failure: StorageError | undefined;
  private received = 0;

  /** @param readers those who read now; whoever takes one away calls `trim`. */
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

  /** Why the storage does not have everything; undefined when it has. */
  get storageFailure(): StorageError | undefined {
    return this.failure;
  }

  /** Whether a new reader could still read from the first byte. */
  get isWhole(): boolean {
    return !this.trimmed;
  }

  /** Begins again from the first byte, before anybody has read one. */
  restart(ingest: Ingest | StorageError): void {
    this.ingest = ingest;
    this.failure = ingest instanceof StorageError ? ingest : undefined;
    this.trimmed = false;
    this.window = [];
    this.windowBytes = 0;
    this.received = 0;
  }

  /** @throws AbandonedError when only memory is left and nobody reads. */
  async append(chunk: Buffer): Promise<void> {
    const start = this.received;
    const stored = await this.store(chunk);
    const rest = chunk.subarray(stored);
    if (rest.length > 0) {
      await this.waitForRoom();
      // The chunk is the upstream connection's own buffer and is not used again, so it is kept without a copy.
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

  /** Says that a reader will not ask for anything before `position`. */
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

  private async waitForRoom(): Promise<void> {
    for (;;) {
      if (this.readers.size === 0) throw new AbandonedError('the storage is full and nobody reads');
      // Those who only want a range further on need nothing of what is here, and will not move before it has come.
      this.trim();
      if (this.windowBytes < windowLimit) return;
      await new Promise<void>((resolve) => {
        this.makeRoom = resolve;
      });
    }
  }

  /** Lets go of bytes in memory that nobody reads any more. */
  trim(): void {
    if (this.failure === undefined) return;
    const slowest = Math.min(...[...this.readers].map(({ position }) => position));
    while (this.window[0] && this.window[0].offset + this.window[0].bytes.length <= slowest) {
      this.windowBytes -= this.window.shift()?.bytes.length ?? 0;
      this.trimmed = true;
    }
    if (this.windowBytes < windowLimit || this.readers.size === 0) this.makeRoom?.();
  }
}
