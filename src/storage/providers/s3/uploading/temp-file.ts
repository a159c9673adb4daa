import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../../oci/byte-range.js';
import { CopyBuffers } from '../../../reading/copy-buffers.js';
import { copyRange } from '../../../reading/copy.js';
import type { PositionedRead } from '../../../reading/positioned-read.js';
import { GrowingFile } from '../../filesystem/growing-file.js';
import { toTemporaryError } from './temporary-error.js';
import { RequestBody } from './request-body.js';

/** Separate buffers for uploads: two of 256 KiB for each of 32 concurrent requests. */
const uploadBuffers = new CopyBuffers(16 * 1024 * 1024);

/** The bytes of an ingest on the local disk, in an unlinked file that disappears when it is closed. */
export class TempFile extends GrowingFile {
  private closing: Promise<void> | undefined;

  constructor(handle: FileHandle) {
    super(handle, (error) => toTemporaryError(error, 'write content to'));
  }

  /** The range as the body of one request. @param progress called whenever more of it is requested */
  body(range: ByteRange, progress: () => void): RequestBody {
    const read: PositionedRead = (buffer, length, position) => {
      progress();
      return this.file.readInto(buffer, length, position);
    };
    return new RequestBody(async (sink, signal) => {
      await copyRange(read, range, sink, signal, undefined, uploadBuffers);
      progress();
    });
  }

  /** Never throws; may be called again. */
  override close(): Promise<void> {
    return (this.closing ??= super.close().catch(() => undefined));
  }
}
