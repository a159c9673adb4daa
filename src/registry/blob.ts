import type { ByteRange } from '../oci/byte-range.js';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { ChunkSink } from '../storage/storage.provider.js';
import type { CacheStatus } from './statistics/traffic.counts.js';
import type { ValidityCheck } from './validity-check.js';

/** A request for a blob. */
export interface BlobRequest {
  readonly repository: RepositoryRef;
  readonly digest: Digest;
  /** A replica never receives bytes that this process receives from a replica, so that no cycle forms. */
  readonly requester: Requester;
  /** The Range header, if it applies: what is far from what has arrived is fetched alone. */
  readonly range: string | undefined;
}

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
  /** The only part that can be copied. The size is known then. */
  readonly part?: ByteRange;
  /** A URL at which the client can read it from the storage itself, valid for some minutes. */
  readonly location?: string;
  close(): Promise<void>;
}

/** Who requests a blob: a client, or another replica on behalf of its clients. */
export type Requester = 'client' | 'replica';
