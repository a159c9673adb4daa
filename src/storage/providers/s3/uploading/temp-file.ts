import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../../../oci/byte-range.js';
import { CopyBuffers } from '../../../reading/copy-buffers.js';
import { copyRange } from '../../../reading/copy.js';
import type { PositionedRead } from '../../../reading/positioned-read.js';
import { GrowingFile } from '../../filesystem/growing-file.js';
import { RequestBody } from './request-body.js';

/** What goes up has buffers of its own, and readers keep theirs: two of 256 KiB for each of 32 requests at a time. */
const forUploads = new CopyBuffers(16 * 1024 * 1024);

/** What has come of an ingest so far, on the local disk; the file has no name any more, and goes with its last user. */
export class TempFile extends GrowingFile {
  private closing: Promise<void> | undefined;

  constructor(handle: FileHandle) {
    super(handle, 'write content to the temporary folder');
  }

  /** The bytes of the range as the body of one request. @param progress called whenever more of it is wanted */
  body(range: ByteRange, progress: () => void): RequestBody {
    const read: PositionedRead = (buffer, length, position) => {
      progress();
      return this.file.readInto(buffer, length, position);
    };
    return new RequestBody(async (sink, signal) => {
      await copyRange(read, range, sink, signal, undefined, forUploads);
      progress();
    });
  }

  /** Never throws; may be called again. */
  override close(): Promise<void> {
    return (this.closing ??= super.close().catch(() => undefined));
  }
}
