import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../oci/byte-range.js';
import type { ChunkSink } from '../../storage.provider.js';
import { OpenFile } from './open-file.js';
import { toWriteError } from './storage-errors.js';

/** A file that is written from its start to its end while others read what is there. Whoever has it closes it. */
export class GrowingFile {
  private readonly file: OpenFile;
  private written = 0;

  /** @param attempt what appending is called when it fails, after "the storage could not". */
  constructor(
    private readonly handle: FileHandle,
    private readonly attempt: string,
  ) {
    this.file = new OpenFile(handle, () => this.written);
  }

  /** Bytes appended, those of a chunk that then failed included. */
  get size(): number {
    return this.written;
  }

  /** @throws StorageError `full` or `failed` */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      // A write may be short when the disk is nearly full; the next one then says why.
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await this.handle.write(chunk, done, chunk.length - done, this.written);
        done += bytesWritten;
        this.written += bytesWritten;
      }
    } catch (error) {
      throw toWriteError(error, this.attempt);
    }
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
