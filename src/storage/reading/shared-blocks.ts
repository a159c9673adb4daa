import { StorageError } from '../storage-error.js';
import type { PositionedRead } from './positioned-read.js';

/** Bytes. */
export const blockSize = 256 * 1024;
/**
 * Bytes of blocks in this process, those in use and those kept for the next reader together. More of them are slower:
 * what was read lately is then no longer in the processor's cache (docs/decisions/0004-shared-blocks.md).
 */
const budget = 12 * 1024 * 1024;

/** Bytes by which a reader may be behind and still be waited for. */
const reach = budget / 2;

/** Where a reader is. */
export interface Cursor {
  readonly position: number;
  readonly isSlow: boolean;
}

/** Bytes lent to one reader until it releases them. */
export interface BorrowedBlock {
  readonly bytes: Uint8Array;
  readonly release: () => void;
  /** Says that the reader takes very long, as long as it does: a block that only such have is not missed by others. */
  readonly stall?: () => void;
}

/** A block that is filled by whoever appends to the file, and that nobody reads from the file before it is released. */
export interface FillableBlock {
  /** Takes bytes that follow those before, as many as there is room for. @returns how many */
  fill(bytes: Uint8Array): number;
  readonly isFull: boolean;
  /** What has been filled in through this room. */
  readonly bytes: Uint8Array;
  /** To be called once, when the file has the bytes. */
  release(): void;
}

interface Block {
  readonly owner: SharedBlocks;
  readonly index: number;
  readonly buffer: Buffer;
  /** Bytes that have been read into it. */
  filled: number;
  readers: number;
  /** Those of the readers who have said that they take very long. */
  stalled: number;
  /** Whether its memory is counted in the budget. */
  isCounted: boolean;
  loading: Promise<void> | undefined;
}

/** The blocks of this process. Beyond the budget there are none, and readers use buffers of their own. */
class BlockPool {
  private readonly idle = new Set<Block>();
  private readonly free: Buffer[] = [];
  private allocated = 0;
  private uncounted = 0;

  take(): Buffer | undefined {
    const free = this.free.pop();
    if (free) return free;
    if (this.allocated + blockSize <= budget) {
      this.allocated += blockSize;
      return Buffer.allocUnsafeSlow(blockSize);
    }
    const [oldest] = this.idle;
    if (!oldest) return undefined;
    this.idle.delete(oldest);
    oldest.owner.drop(oldest);
    return oldest.buffer;
  }

  use(block: Block): void {
    this.idle.delete(block);
  }

  /** Keeps a block that nobody reads for the next reader, until its buffer is needed. */
  rest(block: Block): void {
    this.idle.add(block);
  }

  /** A block that only stalled readers have is not counted, up to as many bytes again as the budget has. */
  uncount(block: Block): void {
    if (!block.isCounted || this.uncounted + blockSize > budget) return;
    block.isCounted = false;
    this.uncounted += blockSize;
    this.allocated -= blockSize;
  }

  get isContended(): boolean {
    return this.uncounted >= budget / 4;
  }

  /** Counts a block again that nobody reads now. @returns false when others have taken its place */
  count(block: Block): boolean {
    if (block.isCounted) return true;
    this.uncounted -= blockSize;
    if (this.allocated + blockSize > budget) return false;
    block.isCounted = true;
    this.allocated += blockSize;
    return true;
  }

  /** Takes back a block whose content nobody can ask for any more. Its memory stays: to get it anew costs more than reading. */
  discard(block: Block): void {
    this.idle.delete(block);
    this.free.push(block.buffer);
  }
}

const pool = new BlockPool();

/**
 * One open file, read once for all who read it at the same time: a thousand clients of one blob cost the reading, and the
 * memory, of a few. The file may grow meanwhile, as an ingest does; what was read of it does not change.
 */
export class SharedBlocks {
  private readonly blocks = new Map<number, Block>();
  private readonly cursors = new Set<Cursor>();
  private isClosed = false;

  /** @param size bytes that the file has now. */
  constructor(
    private readonly read: PositionedRead,
    private readonly size: () => number,
  ) {}

  /** Counts a reader in, who says where it is; `leave` counts it out. */
  enter(cursor: Cursor): void {
    this.cursors.add(cursor);
  }

  leave(cursor: Cursor): void {
    this.cursors.delete(cursor);
  }

  /** Whether readers who take very long have so many blocks that only those who are known to be fast should get more. */
  get isContended(): boolean {
    return pool.isContended;
  }

  /**
   * Whether a reader would be the first to need a block while others come close behind: they will find it here when they
   * catch up, and read it anew when they fall back.
   */
  isAhead({ position }: Cursor): boolean {
    if (this.cursors.size < 2 || this.blocks.has(Math.floor(position / blockSize))) return false;
    for (const other of this.cursors) {
      const distance = position - other.position;
      if (distance > blockSize && distance < reach && !other.isSlow) return true;
    }
    return false;
  }

  /**
   * Up to `length` bytes at `position`, as many as one block has; undefined when the budget has no block for them.
   * @throws StorageError
   */
  async borrow(position: number, length: number): Promise<BorrowedBlock | undefined> {
    const index = Math.floor(position / blockSize);
    const start = position - index * blockSize;
    const end = Math.min(start + length, blockSize);
    const block = this.blockAt(index);
    if (!block) return undefined;
    block.readers += 1;
    pool.use(block);
    try {
      while (block.filled < end) await (block.loading ??= this.load(block));
    } catch (error) {
      this.release(block);
      throw error;
    }
    let isReleased = false;
    let isStalled = false;
    return {
      bytes: block.buffer.subarray(start, end),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        if (isStalled) block.stalled -= 1;
        this.release(block);
      },
      stall: () => {
        if (isReleased) return;
        if (!isStalled) block.stalled += 1;
        isStalled = true;
        if (block.stalled === block.readers) pool.uncount(block);
      },
    };
  }

  /** Copies as many bytes from `position` on as fit and a block has, without reading any. @returns how many */
  copyInto(target: Uint8Array, position: number): number {
    const index = Math.floor(position / blockSize);
    const start = position - index * blockSize;
    const block = this.blocks.get(index);
    if (!block || block.filled <= start) return 0;
    const bytes = block.buffer.subarray(start, Math.min(start + target.length, block.filled));
    target.set(bytes);
    return bytes.length;
  }

  /**
   * A place for bytes that are appended at `position`, the start of a block, for readers to have before they are in the
   * file. Undefined when the budget has no block for them, or somebody waits for them to come from the file.
   */
  reserve(position: number): FillableBlock | undefined {
    if (this.isClosed || position % blockSize !== 0 || this.blocks.has(position / blockSize)) return undefined;
    const block = this.blockAt(position / blockSize);
    if (!block) return undefined;
    block.readers += 1;
    pool.use(block);
    return {
      fill: (bytes) => {
        const taken = bytes.subarray(0, blockSize - block.filled);
        block.buffer.set(taken, block.filled);
        block.filled += taken.length;
        return taken.length;
      },
      get isFull() {
        return block.filled === blockSize;
      },
      get bytes() {
        return block.buffer.subarray(0, block.filled);
      },
      release: () => this.release(block),
    };
  }

  /** Forgets a block whose buffer is given to another. */
  drop(block: Block): void {
    if (this.blocks.get(block.index) === block) this.blocks.delete(block.index);
  }

  /** Nobody reads any more. */
  close(): void {
    this.isClosed = true;
    for (const block of this.blocks.values()) if (block.readers === 0) pool.discard(block);
    this.blocks.clear();
  }

  private blockAt(index: number): Block | undefined {
    const known = this.blocks.get(index);
    if (known) return known;
    const buffer = pool.take();
    if (!buffer) return undefined;
    const counts = { filled: 0, readers: 0, stalled: 0, isCounted: true };
    const block = { owner: this, index, buffer, ...counts, loading: undefined };
    this.blocks.set(index, block);
    return block;
  }

  private async load(block: Block): Promise<void> {
    try {
      const position = block.index * blockSize + block.filled;
      const length = Math.min(blockSize - block.filled, this.size() - position);
      const count = length > 0 ? await this.read(block.buffer.subarray(block.filled), length, position) : 0;
      if (count === 0) throw new StorageError('damaged', 'stored content is shorter than its size');
      block.filled += count;
    } finally {
      block.loading = undefined;
    }
  }

  private release(block: Block): void {
    block.readers -= 1;
    if (block.readers > 0) return;
    if (!pool.count(block)) this.drop(block);
    else if (this.isClosed) pool.discard(block);
    else pool.rest(block);
  }
}
