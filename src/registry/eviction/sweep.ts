import { Digest } from '../../oci/digest.js';
import { parseContentKey } from '../../storage/keys.js';
import { spaceOf } from '../../storage/space/space.ledger.js';
import type { ObjectEntry } from '../../storage/storage.provider.js';
import type { StoredContent, StoredRecord } from '../../storage/stores/stored.objects.js';
import { AgeHistogram, type EvictionCutoff } from './age.histogram.js';
import { BloomFilter } from './bloom.filter.js';
import { Pacer } from './pacer.js';
import type { ReportRemovable, SweepCounts, SweepPlace, SweepPlan } from './sweep.place.js';
import { ReportedRemovals, spaceWithOrigin, SweepRemovals } from './sweep.removals.js';

/** Milliseconds that damaged objects are kept for inspection. */
const damagedRetention = 7 * 86_400_000;
/** Milliseconds that content is kept whose record this sweep may not have seen; clocks of replicas differ. */
const pushGrace = 300_000;
/** Assumed number of content objects before the first count. */
const defaultObjects = 2_000_000;
/** Repositories that a filter tells apart well; with more of them, some that are gone stay in the catalog. */
const manyRepositories = 100_000;

/**
 * One walk over the storage that removes expired records and orphaned content, and evicts content beyond the quota. Its
 * memory is constant: two filters of digests and a histogram of ages.
 */
export class Sweep {
  private readonly removals: SweepRemovals;
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

  /** @param report makes it a dry run, which changes nothing and finds again what it has reported */
  constructor(
    private readonly place: SweepPlace,
    private readonly plan: SweepPlan,
    signal: AbortSignal,
    private readonly report?: ReportRemovable,
  ) {
    this.removals = report ? new ReportedRemovals(place, report) : new SweepRemovals(place);
    this.pacer = new Pacer(signal, plan.isShort);
    this.now = place.retention.now;
    this.areAgesTrusted = place.retention.areAgesTrusted();
    this.live = this.emptyFilter();
    this.present = this.emptyFilter();
    this.hosted = place.hasHosted ? this.emptyFilter() : undefined;
    this.repositories = place.isCataloged || plan.isFirst ? new BloomFilter(manyRepositories) : undefined;
  }

  get counts(): SweepCounts {
    return this.removals.counts;
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
    if (!this.report) space.measure({ bytes: this.bytes, objects: this.contents, damaged: this.damaged }, since);
  }

  /** Removes expired records; the content of the others is live. */
  private async sweepRecords(): Promise<void> {
    const { objects, isHosted } = this.place;
    for await (const record of objects.records()) {
      await this.next();
      const isPushed = isHosted(record.namespace);
      if (this.isExpired(record) && (await this.removals.record(record, 'expired', record))) continue;
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
    const { objects, retention } = this.place;
    for await (const content of objects.contents()) {
      await this.next();
      if (this.isOrphan(content) && (await this.removals.content(content, 'orphaned'))) continue;
      const age = retention.ageOf(content, this.now);
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
    this.present = this.emptyFilter();
    if (!this.report) this.live = this.present;
    for await (const content of objects.contents()) {
      await this.next();
      if (this.report && this.isOrphan(content)) continue;
      const space = spaceWithOrigin(content);
      const isKept = isHeld(content.digest) || this.isPushed(content);
      const isTaken = !isKept && this.cut.takes(retention.ageOf(content, this.now), space);
      if (isTaken && (await this.removals.content(content, 'evicted'))) {
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
      if (isHosted(record.namespace) || (this.report && this.isExpired(record))) continue;
      const isDangling = record.digest
        ? await this.isAbsent(record.digest)
        : this.cut?.isBefore(retention.ageOf(record, this.now)) === true;
      const reason = record.digest ? 'dangling' : 'evicted';
      if (isDangling && (await this.removals.record(record, reason, record))) this.bytes -= spaceOf(record.size);
    }
    for await (const origin of objects.origins()) {
      await this.next();
      if (await this.isAbsent(origin.digest)) await this.removals.record(origin, 'dangling');
    }
  }

  /** Removes the sources of mounts of content that is gone. */
  private async sweepMountSources(): Promise<void> {
    for await (const source of this.place.objects.mountSources()) {
      await this.next();
      if ((await this.isAbsent(source.digest)) && (await this.removals.object(source, 'dangling'))) continue;
      this.bytes += spaceOf(source.size);
    }
  }

  private isExpired(record: StoredRecord): boolean {
    const { retention, isHeld, isHosted } = this.place;
    const isInUse = isHosted(record.namespace) || (record.digest !== undefined && isHeld(record.digest));
    return !isInUse && this.areAgesTrusted && retention.isOver(record, this.now);
  }

  private isOrphan(content: StoredContent): boolean {
    const { retention, isHeld } = this.place;
    const isOld = this.areAgesTrusted && retention.ageOf(content, this.now) > this.plan.grace;
    return this.areRecordsComplete && isOld && !this.live.has(content.digest) && !isHeld(content.digest);
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
      if (isGone && !isNew && this.areAgesTrusted && (await this.removals.object(entry, 'dangling'))) continue;
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
      if (isOver && (await this.removals.object(entry, 'damaged'))) continue;
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

  private emptyFilter(): BloomFilter {
    const { isMeasured, objects } = this.place.space;
    // A filter that is too small only keeps some objects until the next sweep, which knows their number.
    return new BloomFilter(isMeasured ? objects * 1.5 : defaultObjects);
  }
}
