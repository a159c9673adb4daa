import { StorageError } from '../storage-error.js';
import type { PositionedRead } from './positioned-read.js';

/** In bytes. */
export const blockSize = 256 * 1024;
/**
 * Bytes of blocks in this process, both in use and cached. A larger budget is slower because recent blocks drop out of
 * the processor's cache (docs/decisions/0004-shared-blocks.md).
 */
const budget = 12 * 1024 * 1024;

/** Largest distance in bytes at which a reader still waits for one behind it. */
const maxLag = budget / 2;

/** Position of a reader. */
export interface Cursor {
  readonly position: number;
  readonly isSlow: boolean;
}

/** Bytes that one reader may use until it releases them. */
export interface BorrowedBlock {
  readonly bytes: Uint8Array;
  readonly release: () => void;
  /** Marks the reader as stalled; a block with only stalled readers does not count towards the budget. */
  readonly stall?: () => void;
}

/** A block that the writer of a growing file fills. Its range is not read from the file before it is released. */
export interface FillableBlock {
  /** Appends as many bytes as fit. @returns how many */
  fill(bytes: Uint8Array): number;
  readonly isFull: boolean;
  /** The bytes that have been filled in. */
  readonly bytes: Uint8Array;
  /** To be called once, when the file has the bytes. */
  release(): void;
}

interface Block {
  readonly owner: SharedBlocks;
  readonly index: number;
  readonly buffer: Buffer;
  /** Valid bytes from its start. */
  filled: number;
  readers: number;
  /** Number of `readers` that are stalled. */
  stalled: number;
  /** Whether its memory counts towards the budget. */
  isCounted: boolean;
  loading: Promise<void> | undefined;
}

/** The blocks of this process. Readers use private buffers once the budget is spent. */
class BlockPool {
  /** Blocks without a reader, least recently used first. */
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

  /** Keeps a block without readers until its buffer is needed. */
  cache(block: Block): void {
    this.idle.add(block);
  }

  /** Exempts a block with only stalled readers from the budget; exempt blocks have a budget of the same size. */
  uncount(block: Block): void {
    if (!block.isCounted || this.uncounted + blockSize > budget) return;
    block.isCounted = false;
    this.uncounted += blockSize;
    this.allocated -= blockSize;
  }

  get isContended(): boolean {
    return this.uncounted >= budget / 4;
  }

  get isScarce(): boolean {
    return this.free.length + this.idle.size + (budget - this.allocated) / blockSize < budget / blockSize / 2;
  }

  /** Counts a block without readers towards the budget again. @returns false when the budget is spent */
  count(block: Block): boolean {
    if (block.isCounted) return true;
    this.uncounted -= blockSize;
    if (this.allocated + blockSize > budget) return false;
    block.isCounted = true;
    this.allocated += blockSize;
    return true;
  }

  /** Takes back a block of a closed file. Its memory is reused, since allocation costs more than reading. */
  discard(block: Block): void {
    this.idle.delete(block);
    this.free.push(block.buffer);
  }
}

const pool = new BlockPool();

/**
 * Blocks of one open file that concurrent readers share: a thousand clients of one blob cost the reads and the memory of
 * a few. The file may grow, as an ingest does, but bytes that have been read do not change.
 */
export class SharedBlocks {
  private readonly blocks = new Map<number, Block>();
  private readonly cursors = new Set<Cursor>();
  private isClosed = false;

  /** @param size the file's current size in bytes. */
  constructor(
    private readonly read: PositionedRead,
    private readonly size: () => number,
  ) {}

  /** Registers a reader's position; `leave` removes it. */
  enter(cursor: Cursor): void {
    this.cursors.add(cursor);
  }

  leave(cursor: Cursor): void {
    this.cursors.delete(cursor);
  }

  /** Whether stalled readers hold so many blocks that only readers known to be fast should get more. */
  get isContended(): boolean {
    return pool.isContended;
  }

  /** Whether readers hold more than half of the blocks. Each should then return its own before it takes another. */
  get isScarce(): boolean {
    return pool.isScarce;
  }

  /**
   * Whether a reader leads others that follow closely. If it waits for them, they share its next block; if they fall
   * behind, they have to read it again.
   */
  isAhead({ position }: Cursor): boolean {
    if (this.cursors.size < 2 || this.blocks.has(Math.floor(position / blockSize))) return false;
    for (const other of this.cursors) {
      const distance = position - other.position;
      if (distance > blockSize && distance < maxLag && !other.isSlow) return true;
    }
    return false;
  }

  /**
   * Up to `length` bytes at `position` from one block; undefined when the budget is spent.
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

  /** Copies bytes at `position` that a block already has, without reading the file. @returns how many */
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
   * A block for bytes appended at `position`, which must be the start of a block; readers see them before they are in the
   * file. Undefined when the budget is spent or a reader already waits to read them from the file.
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

  /** Forgets a block whose buffer is reused. */
  drop(block: Block): void {
    if (this.blocks.get(block.index) === block) this.blocks.delete(block.index);
  }

  /** To be called after the last read. */
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
    else pool.cache(block);
  }
}
