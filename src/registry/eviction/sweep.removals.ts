import type { Digest } from '../../oci/digest.js';
import type { RecordKey } from '../../storage/keys.js';
import { spaceOf } from '../../storage/space/space.ledger.js';
import type { ObjectEntry } from '../../storage/storage.provider.js';
import type { StoredContent } from '../../storage/stores/stored.objects.js';
import type { Removable, RemovalReason, ReportRemovable, SweepCounts, SweepPlace } from './sweep.place.js';

/** Bytes of the record of where a content came from, which goes with the content. */
const originBytes = spaceOf(1);

export function spaceWithOrigin({ size }: StoredContent): number {
  return spaceOf(size) + originBytes;
}

/** An object as it is listed. */
type Listed = ObjectEntry & { readonly digest?: Digest; readonly repository?: string };

/** What a sweep removes, counted. Each tells whether the object is gone; no failure of the storage is thrown. */
export class SweepRemovals {
  readonly counts: SweepCounts = { seen: 0, removedRecords: 0, removedContents: 0, removedBytes: 0, failed: 0 };

  constructor(protected readonly place: SweepPlace) {}

  /** @param about undefined for the origin of content, which is of no repository */
  async record(record: Listed, reason: RemovalReason, about?: RecordKey): Promise<boolean> {
    if (!(await this.attempt(() => this.remove(record).then(() => true)))) return false;
    this.counts.removedRecords += 1;
    this.counts.removedBytes += spaceOf(record.size);
    await this.tell('record', record, reason, about);
    return true;
  }

  /** Keeps content that was used since it was listed, for example by another replica. */
  async content(content: StoredContent, reason: RemovalReason): Promise<boolean> {
    const { objects, isHeld, guard } = this.place;
    const isRemoved = await this.attempt(() =>
      guard.run(content.digest, async (hasTime) => {
        const now = await objects.lastUse(content.key);
        // Another process has removed it, and a push may be about to bring it back.
        if (!now || now.usedAt > content.usedAt) return false;
        // A read may have begun meanwhile.
        if (isHeld(content.digest) || !hasTime()) return false;
        await this.removeContent(content);
        return true;
      }),
    );
    if (!isRemoved) return false;
    this.counts.removedContents += 1;
    this.counts.removedBytes += spaceWithOrigin(content);
    await this.tell('content', content, reason);
    return true;
  }

  async object(entry: Listed, reason: RemovalReason): Promise<boolean> {
    if (!(await this.attempt(() => this.remove(entry).then(() => true)))) return false;
    this.counts.removedBytes += spaceOf(entry.size);
    await this.tell('object', entry, reason);
    return true;
  }

  protected remove(entry: ObjectEntry): Promise<void> {
    return this.place.objects.remove(entry);
  }

  protected removeContent(content: StoredContent): Promise<void> {
    return this.place.objects.removeContent(content);
  }

  protected async tell(_kind: Removable['kind'], _entry: Listed, _reason: RemovalReason, about?: RecordKey) {
    if (about) await this.place.onRemoved?.(about);
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
}

/** For a dry run: reports what would be removed, and removes nothing. What `report` throws ends the sweep. */
export class ReportedRemovals extends SweepRemovals {
  constructor(
    place: SweepPlace,
    private readonly report: ReportRemovable,
  ) {
    super(place);
  }

  protected override remove(): Promise<void> {
    return Promise.resolve();
  }

  protected override removeContent(): Promise<void> {
    return Promise.resolve();
  }

  protected override tell(kind: Removable['kind'], entry: Listed, reason: RemovalReason, about?: RecordKey) {
    const { key, size, usedAt, digest } = entry;
    const repository = about ? `${about.namespace}/${about.name}` : entry.repository;
    return this.report({
      kind,
      ...(repository !== undefined && { repository }),
      ...(digest && { digest: digest.toString() }),
      key,
      size,
      usedAt,
      reason,
    });
  }
}
