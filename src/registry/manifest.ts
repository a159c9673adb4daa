import type { Digest } from '../oci/digest.js';
import type { CacheStatus } from './statistics/traffic.counts.js';
import type { ValidityCheck } from './validity-check.js';

export interface ManifestHead {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly cache: CacheStatus;
  /** Seconds since the upstream confirmed a tag; undefined for a manifest requested by digest. */
  readonly age?: number;
  /** The fallback host that resolved the tag. */
  readonly fallback?: string | undefined;
  readonly validity?: ValidityCheck | undefined;
}

export interface ManifestContent extends ManifestHead {
  readonly body: Buffer;
}
