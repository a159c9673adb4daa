import type { Digest } from '../../oci/digest.js';
import type { RecordKey } from '../../storage/keys.js';
import type { SpaceLedger } from '../../storage/space/space.ledger.js';
import type { StoredObjects } from '../../storage/stores/stored.objects.js';
import type { Retention } from './retention.js';

export type SweepPhase = 'idle' | 'garbage' | 'records' | 'content' | 'eviction' | 'dangling' | 'damaged';

/** Counts of a running or finished sweep. */
export interface SweepCounts {
  /** Objects examined; some are examined twice. */
  seen: number;
  removedRecords: number;
  removedContents: number;
  removedBytes: number;
  /** Objects that could not be removed. */
  failed: number;
}

/** Why a sweep removes something. */
export type RemovalReason = 'expired' | 'orphaned' | 'evicted' | 'damaged' | 'dangling';

/** What a sweep would remove. */
export interface Removable {
  /** A record of a repository, content, or another object of the storage. */
  readonly kind: 'record' | 'content' | 'object';
  /** Unset for what repositories share. */
  readonly repository?: string;
  readonly digest?: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly usedAt: Date;
  readonly reason: RemovalReason;
}

export type ReportRemovable = (found: Removable) => Promise<void>;

export interface SweepResult extends Readonly<SweepCounts> {
  readonly startedAt: Date;
  /** Milliseconds. */
  readonly duration: number;
  /** Bytes stored afterwards. */
  readonly bytes: number;
  /** Content objects stored afterwards. */
  readonly objects: number;
  /** Objects set aside as damaged. */
  readonly damaged: number;
}

export interface SweepStatus {
  readonly running: boolean;
  readonly phase: SweepPhase;
  /** Of the running or the last sweep. */
  readonly counts: Readonly<SweepCounts>;
  readonly last?: SweepResult;
  /** Why the last sweep failed, if it did. */
  readonly lastError?: string;
  readonly usedBytes: number;
  readonly quota?: number;
}

/** Keeps content from being removed while somebody takes it into use. */
export interface RemovalGuard {
  /** @param action looks at the content once more, and removes it while there is time. @returns its result */
  run(digest: Digest, action: (hasTime: () => boolean) => Promise<boolean>): Promise<boolean>;
  /** To be called between two pieces: others may be waiting. @returns what to wait for, if anything */
  yield(): Promise<void> | undefined;
  /** To be called at the end. */
  release(): Promise<void>;
}

/** For content that can be fetched again. */
export const unguarded: RemovalGuard = {
  run: (_digest, action) => action(() => true),
  yield: () => undefined,
  release: () => Promise.resolve(),
};

/** What a sweep depends on. */
export interface SweepPlace {
  readonly objects: StoredObjects;
  readonly space: SpaceLedger;
  readonly retention: Retention;
  /** Whether a namespace, as in `StoredRecord`, has pushed content, which is never removed here. */
  readonly isHosted: (namespace: string) => boolean;
  /** Whether any has. */
  readonly hasHosted: boolean;
  /** Whether the catalog has mirrored repositories. */
  readonly isCataloged: boolean;
  /** Whether this process reads or downloads it, or expects a pull of it. */
  readonly isHeld: (digest: Digest) => boolean;
  readonly guard: RemovalGuard;
  readonly enter: (phase: SweepPhase) => void;
  /** Called when a record of a mirrored repository was removed. */
  readonly onRemoved?: ((record: RecordKey) => Promise<void>) | undefined;
  /** Called for the first object that cannot be removed. */
  readonly onFailure: (error: unknown) => void;
}

export interface SweepPlan {
  /** Milliseconds that content without a record is kept: the record may be about to be written. */
  readonly grace: number;
  /** Evict down to the low-water mark even if the high-water mark has not been reached. */
  readonly isShort: boolean;
  /** A write failed because the disk is full: evict a part of what is stored, even if that is less than the quota. */
  readonly isDiskFull: boolean;
  /** Look for records without content even if nothing is evicted: an earlier process may have been interrupted. */
  readonly isFirst: boolean;
}
