import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../../../oci/byte-range.js';
import { GrowingFile } from '../filesystem/growing-file.js';

/** Bytes read at a time for an upload. */
const chunkSize = 128 * 1024;

/** What has come of an ingest so far, on the local disk; the file has no name any more, and goes with its last user. */
export class TempFile extends GrowingFile {
  private closing: Promise<void> | undefined;

  constructor(handle: FileHandle) {
    super(handle, 'write content to the temporary folder');
  }

  /** The bytes of the range as the body of one request. @param progress called whenever more of it is wanted */
  body(range: ByteRange, progress: () => void): Readable {
    return Readable.from(this.chunks(range, progress), { objectMode: false, highWaterMark: chunkSize });
  }

  /** Never throws; may be called again. */
  override close(): Promise<void> {
    return (this.closing ??= super.close().catch(() => undefined));
  }

  private async *chunks({ offset, length }: ByteRange, progress: () => void): AsyncGenerator<Buffer> {
    for (let position = offset; position < offset + length;) {
      progress();
      const chunk = await this.read(position, Math.min(chunkSize, offset + length - position));
      position += chunk.length;
      yield chunk;
    }
    progress();
  }
}
