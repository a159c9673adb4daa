import { OciError } from '../oci/error.js';
import type { Digest } from '../oci/digest.js';
import type { Tag } from '../oci/reference.js';

/** The body of a request that pushes content. */
export interface PushBody {
  /** Content-Length, if the client sent it. */
  readonly length: number | undefined;
  /** Each chunk is valid until the next is requested. @throws OciError when the client stalls or leaves */
  chunks(): AsyncIterable<Uint8Array>;
  /**
   * Instead of `chunks`, without a promise for each of them: passes them to `take` until the end.
   * @param signal ends the waiting for the next chunk, not for one that is being taken.
   * @throws OciError as `chunks`; the signal's reason; what `take` throws or rejects with. It may be called again then, for
   * the bytes that `take` has not been given.
   */
  pass?(take: TakeChunk, signal: AbortSignal): Promise<void>;
}

/** Takes a chunk, which is valid until it is taken. @returns undefined when it has been taken, and more may come at once */
export type TakeChunk = (chunk: Uint8Array) => Promise<void> | undefined;

/** Where an upload session stands; Location and Range come from it. */
export interface UploadPlace {
  readonly id: string;
  /** Bytes received so far. */
  readonly size: number;
  /** Number of the process's claim on the session, a hint for the next request. */
  readonly epoch: number;
  /** Least bytes of a chunk but the last, when the storage wants that. */
  readonly minChunk?: number;
  /** What its URL has to say as long as the session has no byte. */
  readonly begun?: string;
}

/** The bytes of a Content-Range header, `end` included. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

/** A chunk that does not begin where the upload session stands. */
export class RangeRefused extends OciError {
  constructor(readonly place: UploadPlace) {
    super('RANGE_INVALID', `the upload has ${place.size} bytes, and the chunk does not begin there`);
  }
}

/** A manifest as a client pushes it. */
export interface PushedManifest {
  readonly body: Buffer;
  readonly contentType?: string | undefined;
  /** Further tags, from `?tag=`. */
  readonly tags: readonly Tag[];
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

export interface PutResult {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly subject?: Digest;
  /** Every tag that was written, that of the reference included. */
  readonly tags: readonly Tag[];
  /** Whether the repository did not have the manifest before. */
  readonly isNew: boolean;
}
