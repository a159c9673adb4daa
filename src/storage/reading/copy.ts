import type { ByteRange } from '../../oci/byte-range.js';
import { CopyBuffers, type Copy } from './copy-buffers.js';
import type { BorrowedBlock, SharedBlocks } from './shared-blocks.js';
import type { PositionedRead } from './positioned-read.js';
import { StorageError } from '../storage-error.js';
import type { ChunkSink } from '../storage.provider.js';

const clientBuffers = new CopyBuffers();

/**
 * Copies a range chunk by chunk and reads the next chunk while the sink takes the current one. Without a Readable it
 * measured twice as fast in a third of the memory.
 * @param shared blocks of the same source that concurrent readers share; used while its budget allows.
 * @param buffers the pool for private buffers; by default that of client reads.
 * @throws StorageError `damaged` when the source ends before the range does.
 */
export async function copyRange(
  read: PositionedRead,
  range: ByteRange,
  sink: ChunkSink,
  signal?: AbortSignal,
  shared?: SharedBlocks,
  buffers = clientBuffers,
): Promise<void> {
  const end = range.offset + range.length;
  const copy = buffers.enter();
  copy.position = range.offset;
  shared?.enter(copy);
  const sending = new Sending(sink, copy);
  // A slow reader would hold a shared block for too long.
  const mayBorrow = () => !copy.isSlow && (copy.isProven || shared?.isContended === false);
  const borrow = (position: number) => (mayBorrow() ? shared?.borrow(position, end - position) : undefined);
  const readShared = async (position: number): Promise<BorrowedBlock | undefined> => {
    if (!shared || !mayBorrow()) return undefined;
    if (shared.isScarce || shared.isAhead(copy)) await sending.settle();
    const borrowed = await borrow(position);
    if (borrowed || !sending.isRunning) return borrowed;
    // Its previous chunk may be in a block that this reader then takes again.
    await sending.settle();
    return borrow(position);
  };
  const readOwn = async (position: number): Promise<BorrowedBlock> => {
    const buffer = buffers.acquire(end - position, copy);
    const release = () => buffers.release(buffer, copy);
    try {
      const length = Math.min(buffer.length, end - position);
      const count = await read(buffer, length, position);
      if (count === 0) throw new StorageError('damaged', 'stored content is shorter than its size');
      return { bytes: buffer.subarray(0, count), release };
    } catch (error) {
      release();
      throw error;
    }
  };
  try {
    for (let position = range.offset; position < end;) {
      signal?.throwIfAborted();
      const chunk = (await readShared(position)) ?? (await readOwn(position));
      position += chunk.bytes.length;
      copy.position = position;
      await sending.next(chunk);
    }
    await sending.settle();
  } finally {
    shared?.leave(copy);
    buffers.leave(copy);
  }
}

/** The chunk that the sink has, and the one that waits for it. A chunk is released when the sink no longer uses it. */
class Sending {
  private done: Promise<void> | undefined;
  private waiting: BorrowedBlock | undefined;

  constructor(
    private readonly sink: ChunkSink,
    private readonly copy: Copy,
  ) {}

  get isRunning(): boolean {
    return this.done !== undefined;
  }

  /** Gives a chunk to the sink as soon as it has taken the previous one. @throws what the sink throws */
  async next(chunk: BorrowedBlock): Promise<void> {
    this.waiting = chunk;
    try {
      await this.settle();
    } catch (error) {
      chunk.release();
      throw error;
    }
    this.waiting = undefined;
    this.copy.sending(() => {
      chunk.stall?.();
      this.waiting?.stall?.();
    });
    const taken = () => {
      chunk.release();
      this.copy.sent(chunk.bytes.length);
    };
    const failed = (error: unknown) => {
      chunk.release();
      throw error;
    };
    this.done = this.sink(chunk.bytes).then(taken, failed);
    // It may fail during the next read, before anything awaits it; `settle` rethrows the error.
    this.done.catch(() => undefined);
  }

  /** Waits until the sink has taken the chunk. @throws what the sink throws */
  async settle(): Promise<void> {
    await this.done;
    this.done = undefined;
  }
}
