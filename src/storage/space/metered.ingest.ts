import type { ByteRange } from '../../oci/byte-range.js';
import type { ChunkSink, Ingest, Taken } from '../storage.provider.js';
import type { SpaceLedger } from './space.ledger.js';

/** An ingest whose bytes count against the quota while they are written, and not only once they are committed. */
export class MeteredIngest implements Ingest {
  private claimed: number;

  /** @throws StorageError `full` when the quota has no room for what has been appended already */
  constructor(
    private readonly inner: Ingest,
    private readonly space: SpaceLedger,
  ) {
    this.claimed = inner.size;
    if (this.claimed > 0) space.claim(this.claimed, this.claimed);
  }

  get size(): number {
    return this.inner.size;
  }

  /** @throws StorageError also `full` when the quota has no room for the chunk */
  async append(chunk: Uint8Array): Promise<void> {
    this.space.claim(chunk.length, this.claimed + chunk.length);
    this.claimed += chunk.length;
    await this.inner.append(chunk);
  }

  /** @throws StorageError as `append` */
  appendNow(chunk: Uint8Array): Taken {
    if (!this.inner.appendNow) return { bytes: 0 };
    this.space.claim(chunk.length, this.claimed + chunk.length);
    let bytes = 0;
    try {
      const taken = this.inner.appendNow(chunk);
      bytes = taken.bytes;
      return taken;
    } finally {
      this.space.unclaim(chunk.length - bytes);
      this.claimed += bytes;
    }
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.inner.copy(range, sink, signal);
  }

  /** The caller has counted it in as committed. */
  commit(key: string): Promise<void> {
    this.release();
    return this.inner.commit(key);
  }

  abort(): Promise<void> {
    return this.inner.abort();
  }

  /** Its space is free only when nobody reads it any more. */
  close(): Promise<void> {
    return this.inner.close().finally(() => this.release());
  }

  private release(): void {
    this.space.unclaim(this.claimed);
    this.claimed = 0;
  }
}
