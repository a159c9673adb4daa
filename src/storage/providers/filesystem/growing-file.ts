import type { ByteRange } from '../../../oci/byte-range.js';
import { blockSize, type FillableBlock } from '../../reading/shared-blocks.js';
import type { StorageError } from '../../storage-error.js';
import type { ChunkSink, Taken } from '../../storage.provider.js';
import type { FileHandle } from './file-system.js';
import { OpenFile } from './open-file.js';

/** Number of full blocks that wait to be written before `append` waits for the disk. */
const maxWaiting = 2;

/**
 * A file that is written sequentially while others read it. Bytes are collected in the blocks that its readers share, so
 * that they are readable at once, and written a block at a time in the background. The owner closes it.
 */
export class GrowingFile {
  protected readonly file: OpenFile;
  private appended: number;
  /** Bytes in the file; those from here to `appended` are in blocks. */
  private written: number;
  /** The block being filled. */
  private block: FillableBlock | undefined;
  /** Blocks that have not been written, or could not be. */
  private readonly unwritten = new Set<FillableBlock>();
  /** Running and waiting writes, one after the other so that the file never has a hole. */
  private readonly writes: Promise<void>[] = [];
  private failure: StorageError | undefined;

  /**
   * @param toError converts errors of the disk.
   * @param size bytes that the file already has.
   */
  constructor(
    private readonly handle: FileHandle,
    private readonly toError: (error: unknown) => StorageError,
    size = 0,
  ) {
    this.appended = size;
    this.written = size;
    this.file = new OpenFile(handle, () => this.written);
  }

  /** Bytes appended, including those of a chunk that then failed. All of them can be read, even after a disk error. */
  get size(): number {
    return this.appended;
  }

  /** Bytes that are not only in blocks. */
  get inFile(): number {
    return this.written;
  }

  /** @throws StorageError `full` or `failed`, possibly caused by an earlier chunk. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      if (this.failure) throw this.failure;
      const rest = chunk.subarray(done);
      // A first chunk is often the whole content, for which a block gains nothing.
      const block = this.appended === 0 ? undefined : this.currentBlock();
      done += block ? await this.collect(block, rest) : await this.writeThrough(rest);
    }
  }

  /** As `append`, for the bytes that blocks have room for; none after a failure. */
  appendNow(chunk: Uint8Array): Taken {
    let bytes = 0;
    // As in `append`, a first chunk gets no block.
    while (this.appended > 0 && bytes < chunk.length && !this.failure) {
      const block = this.currentBlock();
      if (!block) break;
      bytes += this.fill(block, bytes === 0 ? chunk : chunk.subarray(bytes));
    }
    return { bytes, ready: this.writes.length > maxWaiting ? this.catchUp() : undefined };
  }

  /** Writes the collected bytes. @throws StorageError as `append` */
  async flush(): Promise<void> {
    this.endBlock();
    await this.writes.at(-1);
    if (this.failure) throw this.failure;
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  async close(): Promise<void> {
    await this.writes.at(-1);
    for (const block of this.unwritten) block.release();
    this.unwritten.clear();
    await this.file.close();
  }

  private currentBlock(): FillableBlock | undefined {
    if (this.block) return this.block;
    this.block = this.file.shared.reserve(this.appended);
    if (this.block) this.unwritten.add(this.block);
    return this.block;
  }

  private async collect(block: FillableBlock, bytes: Uint8Array): Promise<number> {
    const taken = this.fill(block, bytes);
    await this.catchUp();
    return taken;
  }

  private fill(block: FillableBlock, bytes: Uint8Array): number {
    const taken = block.fill(bytes);
    this.appended += taken;
    if (block.isFull) this.endBlock();
    return taken;
  }

  private async catchUp(): Promise<void> {
    while (this.writes.length > maxWaiting) await this.writes[0];
  }

  private endBlock(): void {
    const { block } = this;
    this.block = undefined;
    if (!block) return;
    const write = (this.writes.at(-1) ?? Promise.resolve())
      .then(() => this.writeBlock(block))
      .then(() => void this.writes.shift());
    this.writes.push(write);
  }

  /** A block that cannot be written stays readable. Never throws. */
  private async writeBlock(block: FillableBlock): Promise<void> {
    if (this.failure) return;
    try {
      await this.writeAll(block.bytes);
      this.unwritten.delete(block);
      block.release();
    } catch (error) {
      this.failure = this.toError(error);
    }
  }

  /** Writes up to the end of a block, so that the next bytes can be collected. */
  private async writeThrough(bytes: Uint8Array): Promise<number> {
    await this.writes.at(-1);
    if (this.failure) throw this.failure;
    const part = bytes.subarray(0, blockSize - (this.appended % blockSize));
    const before = this.written;
    try {
      await this.writeAll(part);
    } catch (error) {
      throw (this.failure = this.toError(error));
    } finally {
      this.appended += this.written - before;
    }
    return part.length;
  }

  private async writeAll(bytes: Uint8Array): Promise<void> {
    // On a nearly full disk a write may be short; the next one then fails with the reason.
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.written);
      done += bytesWritten;
      this.written += bytesWritten;
    }
  }
}
