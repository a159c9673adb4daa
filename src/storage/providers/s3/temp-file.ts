import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../../../oci/byte-range.js';
import { StorageError } from '../../storage-error.js';
import type { ChunkSink } from '../../storage.provider.js';
import { OpenFile } from '../filesystem/open-file.js';
import { toWriteError } from '../filesystem/storage-errors.js';

/** Bytes read at a time for an upload. */
const chunkSize = 128 * 1024;

/** What has come of an ingest so far, on the local disk; the file has no name any more, and goes with its last user. */
export class TempFile {
  private readonly file: OpenFile;
  private written = 0;
  private closing: Promise<void> | undefined;

  constructor(private readonly handle: FileHandle) {
    this.file = new OpenFile(handle, () => this.written);
  }

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
      throw toWriteError(error, 'write content to the temporary folder');
    }
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  /** The bytes of the range as the body of one request. @param progress called whenever more of it is wanted */
  body(range: ByteRange, progress: () => void): Readable {
    return Readable.from(this.chunks(range, progress), { objectMode: false, highWaterMark: chunkSize });
  }

  close(): Promise<void> {
    return (this.closing ??= this.file.close().catch(() => undefined));
  }

  private async *chunks({ offset, length }: ByteRange, progress: () => void): AsyncGenerator<Buffer> {
    for (let position = offset; position < offset + length;) {
      progress();
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, offset + length - position));
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new StorageError('damaged', 'the temporary file is shorter than it was');
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    progress();
  }
}
