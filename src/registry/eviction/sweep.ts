import { Digest } from '../../oci/digest.js';
import { parseContentKey, type RecordKey } from '../../storage/keys.js';
import { spaceOf, type SpaceLedger } from '../../storage/space/space.ledger.js';
import type { ObjectEntry } from '../../storage/storage.provider.js';
import type { StoredContent, StoredObjects, StoredRecord } from '../../storage/stores/stored.objects.js';
import { AgeHistogram, type EvictionCutoff } from './age.histogram.js';
import { BloomFilter } from './bloom.filter.js';
import { Pacer } from './pacer.js';
import type { Retention } from './retention.js';

/** Milliseconds that damaged objects are kept for inspection. */
const damagedRetention = 7 * 86_400_000;
/** Milliseconds that content is kept whose record this sweep may not have seen; clocks of replicas differ. */
const pushGrace = 300_000;
/** Assumed number of content objects before the first count. */
const defaultObjects = 2_000_000;
/** Repositories that a filter tells apart well; with more of them, some that are gone stay in the catalog. */
const manyRepositories = 100_000;

/** Bytes of the record of where a content came from, which goes with the content. */
const originBytes = spaceOf(1);

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

/**
 * One walk over the storage that removes expired records and orphaned content, and evicts content beyond the quota. Its
 * memory is constant: two filters of digests and a histogram of ages.
 */
export class Sweep {
  readonly counts: SweepCounts = { seen: 0, removedRecords: 0, removedContents: 0, removedBytes: 0, failed: 0 };
  private readonly pacer: Pacer;
  private readonly areAgesTrusted: boolean;
  private readonly now: number;
  /** Whether content without a seen record has none: records that cannot be read do not count as absent. */
  private areRecordsComplete = false;
  private bytes = 0;
  /** Bytes of the records that are evicted together with their content. */
  private recordBytes = 0;
  private contents = 0;
  private damaged = 0;
  private live: BloomFilter;
  private present: BloomFilter;
  /** Digests that hosted repositories name. */
  private readonly hosted: BloomFilter | undefined;
  /** Names of repositories with a record. */
  private readonly repositories: BloomFilter | undefined;
  private lastName = '';
  private ages = new AgeHistogram();
  private cut: EvictionCutoff | undefined;

  constructor(
    private readonly place: SweepPlace,
    private readonly plan: SweepPlan,
    signal: AbortSignal,
  ) {
    this.pacer = new Pacer(signal, plan.isShort);
    this.now = place.retention.now;
    this.areAgesTrusted = place.retention.areAgesTrusted();
    this.live = this.emptyFilter();
    this.present = this.emptyFilter();
    this.hosted = place.hasHosted ? this.emptyFilter() : undefined;
    this.repositories = place.isCataloged || plan.isFirst ? new BloomFilter(manyRepositories) : undefined;
  }

  /** @throws StorageError when the storage cannot be listed; objects that were not examined are kept. */
  async run(): Promise<void> {
    try {
      await this.walk();
    } finally {
      await this.place.guard.release();
    }
  }

  private async walk(): Promise<void> {
    const { space, enter } = this.place;
    const since = space.added;
    enter('records');
    await this.sweepRecords();
    enter('content');
    await this.sweepContents();
    if (this.place.hasHosted || this.plan.isFirst) await this.sweepMountSources();
    if (this.repositories) await this.sweepMirrored(this.repositories);
    const low = this.plan.isDiskFull ? space.lowOf(this.bytes) : space.low;
    const goal = this.plan.isShort ? low : space.high;
    if (this.bytes > goal) {
      enter('eviction');
      await this.evict(this.bytes - low);
    }
    if (this.cut || this.plan.isFirst) {
      enter('dangling');
      await this.sweepDangling();
    }
    enter('damaged');
    await this.sweepDamaged();
    space.measure({ bytes: this.bytes, objects: this.contents, damaged: this.damaged }, since);
  }

  /** Removes expired records; the content of the others is live. */
  private async sweepRecords(): Promise<void> {
    const { objects, retention, isHeld, isHosted } = this.place;
    for await (const record of objects.records()) {
      await this.next();
      const isPushed = isHosted(record.namespace);
      const isInUse = isPushed || (record.digest !== undefined && isHeld(record.digest));
      if (
        !isInUse &&
        this.areAgesTrusted &&
        retention.isOver(record, this.now) &&
        (await this.removeRecord(record, record))
      )
        continue;
      this.bytes += spaceOf(record.size);
      if (!isPushed) this.noteName(record);
      if (!record.digest) continue;
      if (isPushed) this.hosted?.add(record.digest);
      else this.recordBytes += spaceOf(record.size);
      this.live.add(record.digest);
    }
    this.areRecordsComplete = objects.isComplete('repositories');
  }

  /** Removes content without a record; the rest is counted. */
  private async sweepContents(): Promise<void> {
    const { objects, retention, isHeld } = this.place;
    for await (const content of objects.contents()) {
      await this.next();
      const age = retention.ageOf(content, this.now);
      const isOrphan =
        this.areRecordsComplete && !this.live.has(content.digest) && age > this.plan.grace && !isHeld(content.digest);
      if (isOrphan && this.areAgesTrusted && (await this.removeContent(content))) continue;
      this.bytes += spaceWithOrigin(content);
      this.contents += 1;
      if (!this.isPushed(content)) this.ages.add(age, spaceWithOrigin(content));
      this.present.add(content.digest);
    }
  }

  /** Evicts the least recently used content until so many bytes are free. */
  private async evict(bytes: number): Promise<void> {
    const { objects, retention, isHeld } = this.place;
    // Records are freed as well; for small content they take as much space as the content itself.
    this.cut = this.ages.oldest(bytes, this.recordBytes / Math.max(1, this.contents));
    this.present = this.live = this.emptyFilter();
    for await (const content of objects.contents()) {
      await this.next();
      const space = spaceWithOrigin(content);
      const isKept = isHeld(content.digest) || this.isPushed(content);
      const isTaken = !isKept && this.cut.takes(retention.ageOf(content, this.now), space);
      if (isTaken && (await this.removeContent(content))) {
        this.bytes -= space;
        this.contents -= 1;
      } else this.present.add(content.digest);
    }
  }

  /** Removes records and origins without content, and tags and lists as old as the evicted content. */
  private async sweepDangling(): Promise<void> {
    const { objects, retention, isHosted } = this.place;
    for await (const record of objects.records()) {
      await this.next();
      if (isHosted(record.namespace)) continue;
      const isDangling = record.digest
        ? await this.isAbsent(record.digest)
        : this.cut?.isBefore(retention.ageOf(record, this.now)) === true;
      if (isDangling && (await this.removeRecord(record, record))) this.bytes -= spaceOf(record.size);
    }
    for await (const origin of objects.origins()) {
      await this.next();
      if (await this.isAbsent(origin.digest)) await this.removeRecord(origin);
    }
  }

  /** Removes the sources of mounts of content that is gone. */
  private async sweepMountSources(): Promise<void> {
    for await (const source of this.place.objects.mountSources()) {
      await this.next();
      if ((await this.isAbsent(source.digest)) && (await this.remove(source))) continue;
      this.bytes += spaceOf(source.size);
    }
  }

  /** The records of a repository come one after another. */
  private noteName({ namespace, name }: StoredRecord): void {
    const whole = `${namespace}/${name}`;
    if (whole === this.lastName) return;
    this.lastName = whole;
    this.repositories?.add(Digest.of(Buffer.from(whole)));
  }

  /** Removes mirrored repositories without a record from the catalog. */
  private async sweepMirrored(repositories: BloomFilter): Promise<void> {
    for await (const entry of this.place.objects.mirrored()) {
      await this.next();
      const isNew = entry.usedAt.getTime() > this.now - pushGrace;
      const isGone = this.areRecordsComplete && !repositories.has(Digest.of(Buffer.from(entry.repository)));
      if (isGone && !isNew && this.areAgesTrusted && (await this.remove(entry))) continue;
      this.bytes += spaceOf(entry.size);
    }
  }

  /** Content that was not listed is looked up: it may have come meanwhile, or be in a folder that cannot be read. */
  private async isAbsent(digest: Digest): Promise<boolean> {
    const { objects } = this.place;
    if (this.present.has(digest)) return false;
    try {
      return !(await objects.findContent(digest));
    } catch (error) {
      if (objects.isComplete('blobs')) throw error;
      return false;
    }
  }

  private async sweepDamaged(): Promise<void> {
    const { objects, retention } = this.place;
    for await (const entry of objects.damaged()) {
      await this.next();
      const isOver =
        this.areAgesTrusted && retention.ageOf(entry, this.now) > damagedRetention && !this.isLastCopy(entry);
      if (isOver && (await this.remove(entry))) continue;
      this.bytes += spaceOf(entry.size);
      this.damaged += 1;
    }
  }

  /** Whether a hosted repository names content, or may do so since this sweep has looked at its records. */
  private isPushed({ digest, usedAt }: StoredContent): boolean {
    if (!this.hosted) return false;
    return this.hosted.has(digest) || usedAt.getTime() > this.now - pushGrace;
  }

  /** Pushed content has no other source; a person may be able to repair it. */
  private isLastCopy({ key }: ObjectEntry): boolean {
    const digest = parseContentKey(key.replace(/^damaged\//, ''));
    return digest !== undefined && this.hosted?.has(digest) === true;
  }

  private async next(): Promise<void> {
    this.counts.seen += 1;
    const others = this.place.guard.yield();
    if (others) await others;
    await this.pacer.step();
  }

  /** @param about undefined for the origin of content, which is of no repository */
  private async removeRecord(record: ObjectEntry, about?: RecordKey): Promise<boolean> {
    const isRemoved = await this.remove(record);
    if (isRemoved) this.counts.removedRecords += 1;
    if (isRemoved && about) await this.place.onRemoved?.(about);
    return isRemoved;
  }

  /** Keeps content that was used since it was listed, for example by another replica. */
  private async removeContent(content: StoredContent): Promise<boolean> {
    const { objects, isHeld, guard } = this.place;
    const isRemoved = await this.attempt(() =>
      guard.run(content.digest, async (hasTime) => {
        const now = await objects.lastUse(content.key);
        // Another process has removed it, and a push may be about to bring it back.
        if (!now || now.usedAt > content.usedAt) return false;
        // A read may have begun meanwhile.
        if (isHeld(content.digest) || !hasTime()) return false;
        await objects.removeContent(content);
        return true;
      }),
    );
    if (!isRemoved) return false;
    this.counts.removedContents += 1;
    this.counts.removedBytes += spaceWithOrigin(content);
    return true;
  }

  private async remove(entry: ObjectEntry): Promise<boolean> {
    const isRemoved = await this.attempt(() => this.place.objects.remove(entry).then(() => true));
    if (isRemoved) this.counts.removedBytes += spaceOf(entry.size);
    return isRemoved;
  }

  /** An object that cannot be removed does not stop the sweep. */
  private async attempt(removal: () => Promise<boolean>): Promise<boolean> {
    try {
      return await removal();
    } catch (error) {
      if (this.counts.failed === 0) this.place.onFailure(error);
      this.counts.failed += 1;
      return false;
    }
  }

  private emptyFilter(): BloomFilter {
    const { isMeasured, objects } = this.place.space;
    // A filter that is too small only keeps some objects until the next sweep, which knows their number.
    return new BloomFilter(isMeasured ? objects * 1.5 : defaultObjects);
  }
}

function spaceWithOrigin({ size }: StoredContent): number {
  return spaceOf(size) + originBytes;
}
