import { spaceOf } from '../../storage/space/space.ledger.js';
import type { RecordKey } from '../../storage/keys.js';
import type { ObjectEntry } from '../../storage/storage.provider.js';
import type { StoredContent } from '../../storage/stores/stored.objects.js';
import type { SweepCounts, SweepPlace } from './sweep.place.js';

/** Bytes of the record of where a content came from, which goes with the content. */
const originBytes = spaceOf(1);

export function spaceWithOrigin({ size }: StoredContent): number {
  return spaceOf(size) + originBytes;
}

/** What a sweep removes, counted. Each tells whether the object is gone; none throws. */
export class SweepRemovals {
  readonly counts: SweepCounts = { seen: 0, removedRecords: 0, removedContents: 0, removedBytes: 0, failed: 0 };

  constructor(private readonly place: SweepPlace) {}

  /** @param about undefined for the origin of content, which is of no repository */
  async record(record: ObjectEntry, about?: RecordKey): Promise<boolean> {
    const isRemoved = await this.object(record);
    if (isRemoved) this.counts.removedRecords += 1;
    if (isRemoved && about) await this.place.onRemoved?.(about);
    return isRemoved;
  }

  /** Keeps content that was used since it was listed, for example by another replica. */
  async content(content: StoredContent): Promise<boolean> {
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

  async object(entry: ObjectEntry): Promise<boolean> {
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
}
