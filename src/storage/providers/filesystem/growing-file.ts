import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../oci/byte-range.js';
import { blockSize, type FillableBlock } from '../../reading/shared-blocks.js';
import type { StorageError } from '../../storage-error.js';
import type { ChunkSink } from '../../storage.provider.js';
import { OpenFile } from './open-file.js';
import { toWriteError } from './storage-errors.js';

/** Blocks of one file that are full and not written yet; whoever appends then waits for the disk. */
const maxWaiting = 2;

/**
 * A file that is written from its start to its end while others read what is there. Bytes are gathered in the blocks that
 * its readers share, from which they have them at once, and written a block at a time while more come in. Whoever has it
 * closes it.
 */
export class GrowingFile {
  protected readonly file: OpenFile;
  private appended = 0;
  /** Bytes that the file has; those between here and `appended` are in blocks. */
  private written = 0;
  /** The block that is being filled. */
  private room: FillableBlock | undefined;
  /** Blocks that the file does not have yet, or could not take. */
  private readonly unwritten = new Set<FillableBlock>();
  /** Writes that are under way or wait, one after the other so that the file never has a hole. */
  private readonly writes: Promise<void>[] = [];
  private failure: StorageError | undefined;

  /** @param attempt what appending is called when it fails, after "the storage could not". */
  constructor(
    private readonly handle: FileHandle,
    private readonly attempt: string,
  ) {
    this.file = new OpenFile(handle, () => this.written);
  }

  /** Bytes appended, those of a chunk that then failed included. All of them can be read, whatever happens to the disk. */
  get size(): number {
    return this.appended;
  }

  /** @throws StorageError `full` or `failed`, perhaps because of what was appended before. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      if (this.failure) throw this.failure;
      const rest = chunk.subarray(done);
      // What fits into one block is written as it comes: there is nothing to gain.
      const room = this.appended === 0 ? undefined : this.currentBlock();
      done += room ? await this.gather(room, rest) : await this.writeThrough(rest);
    }
  }

  /** Writes what has been gathered. To be called when nothing more will be appended. @throws StorageError as `append` */
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
    for (const room of this.unwritten) room.release();
    this.unwritten.clear();
    await this.file.close();
  }

  private currentBlock(): FillableBlock | undefined {
    if (this.room) return this.room;
    this.room = this.file.shared.reserve(this.appended);
    if (this.room) this.unwritten.add(this.room);
    return this.room;
  }

  private async gather(room: FillableBlock, bytes: Uint8Array): Promise<number> {
    const taken = room.fill(bytes);
    this.appended += taken;
    if (room.isFull) this.endBlock();
    while (this.writes.length > maxWaiting) await this.writes[0];
    return taken;
  }

  private endBlock(): void {
    const { room } = this;
    this.room = undefined;
    if (!room) return;
    const write = (this.writes.at(-1) ?? Promise.resolve())
      .then(() => this.writeBlock(room))
      .then(() => void this.writes.shift());
    this.writes.push(write);
  }

  /** A block that cannot be written stays for its readers. Never throws. */
  private async writeBlock(room: FillableBlock): Promise<void> {
    if (this.failure) return;
    try {
      await this.writeAll(room.bytes);
      this.unwritten.delete(room);
      room.release();
    } catch (error) {
      this.failure = toWriteError(error, this.attempt);
    }
  }

  /** Up to the end of a block, so that the next bytes may be gathered. */
  private async writeThrough(bytes: Uint8Array): Promise<number> {
    await this.writes.at(-1);
    if (this.failure) throw this.failure;
    const part = bytes.subarray(0, blockSize - (this.appended % blockSize));
    const before = this.written;
    try {
      await this.writeAll(part);
    } catch (error) {
      throw (this.failure = toWriteError(error, this.attempt));
    } finally {
      this.appended += this.written - before;
    }
    return part.length;
  }

  private async writeAll(bytes: Uint8Array): Promise<void> {
    // A write may be short when the disk is nearly full; the next one then says why.
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.written);
      done += bytesWritten;
      this.written += bytesWritten;
    }
  }
}
