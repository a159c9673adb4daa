import type { ByteRange } from '../../../oci/byte-range.js';
import { copyRange } from '../../reading/copy.js';
import type { PositionedRead } from '../../reading/positioned-read.js';
import { SharedBlocks } from '../../reading/shared-blocks.js';
import type { ChunkSink } from '../../storage.provider.js';
import type { FileHandle } from './file-system.js';
import { toStorageError } from './storage-errors.js';

/** An open file that can be copied to any number of sinks concurrently. It may grow; existing bytes do not change. */
export class OpenFile {
  readonly shared: SharedBlocks;

  /** @param size bytes that can be read now. */
  constructor(
    private readonly handle: FileHandle,
    size: () => number,
  ) {
    this.shared = new SharedBlocks(this.readFile, size);
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return copyRange(this.readInto, range, sink, signal, this.shared);
  }

  async close(): Promise<void> {
    this.shared.close();
    await this.handle.close();
  }

  /** Copies from a block if possible, whose bytes may not be in the file yet, and otherwise reads. @throws StorageError */
  readonly readInto: PositionedRead = async (buffer, length, position) =>
    this.shared.copyInto(buffer.subarray(0, length), position) || (await this.readFile(buffer, length, position));

  private readonly readFile: PositionedRead = async (buffer, length, position) => {
    try {
      return (await this.handle.read(buffer, 0, length, position)).bytesRead;
    } catch (error) {
      throw toStorageError(error, 'read content');
    }
  };
}
