import type { ByteRange } from '../oci/byte-range.js';
import type { Digest } from '../oci/digest.js';
import type { ChunkSink } from '../storage/storage.provider.js';
import type { CacheStatus } from './cache-status.js';
import type { ValidityCheck } from './validity-check.js';

export interface BlobHead {
  readonly digest: Digest;
  /** Bytes; undefined when the upstream did not state it. */
  readonly size: number | undefined;
  readonly cache: CacheStatus;
}

/** What a HEAD is answered: a client takes a missing length for an empty blob, so it is always known. */
export interface SizedHead extends BlobHead {
  readonly size: number;
}

/** A blob ready to be sent. The caller closes it. */
export interface OpenBlob extends BlobHead {
  /** A range beyond the end of a blob of unknown size ends where the blob does. */
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
  /** All of a small blob, shared by everyone who reads it: not to be modified. */
  readonly bytes?: Buffer;
  readonly validity?: ValidityCheck | undefined;
  /** A URL at which the client can read it from the storage itself, valid for some minutes. */
  readonly location?: string;
  close(): Promise<void>;
}
