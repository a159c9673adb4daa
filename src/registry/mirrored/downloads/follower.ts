import type { ByteRange } from '../../../oci/byte-range.js';
import type { Digest } from '../../../oci/digest.js';
import type { ChunkSink } from '../../../storage/storage.provider.js';
import type { BufferReader } from './download.buffer.js';

/** What followers read. */
interface Followed {
  readonly digest: Digest;
  readonly size: number | undefined;
  ready(patience: number): Promise<void>;
  copy(reader: BufferReader, range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  leave(reader: BufferReader): Promise<void>;
}

/** One client that follows a download. */
export class Follower {
  private left: Promise<void> | undefined;

  constructor(
    private readonly download: Followed,
    private readonly reader: BufferReader,
  ) {}

  get size(): number | undefined {
    return this.download.size;
  }

  get digest(): Digest {
    return this.download.digest;
  }

  /** Waits for the first bytes, and for all of small content, for up to `patience` milliseconds. */
  ready(patience: number): Promise<void> {
    return this.download.ready(patience);
  }

  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    await this.download.copy(this.reader, range, sink, signal);
  }

  close(): Promise<void> {
    return (this.left ??= this.download.leave(this.reader));
  }
}
