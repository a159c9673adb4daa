import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import { Clock } from '../../../config/clock/clock.js';
import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import { LinkStore } from '../../../storage/stores/hosted/link.store.js';
import { GarbageLock } from '../locks/garbage.lock.js';
import { GarbageTimes } from './garbage.times.js';

/** Renewed records remembered. */
const maxRemembered = 100_000;

/** Blobs remembered as just recorded, and for how many milliseconds. */
const maxRecorded = 20_000;
const recordedFor = 30_000;

/** Keeps what a push relies on from being removed as garbage before the push has ended. */
@Injectable()
export class RenewalsService {
  /** When this process has renewed a record, on the monotonic clock. */
  private readonly renewed = new LRUCache<string, number>(atMost(maxRemembered));
  private readonly recorded = new LRUCache<string, { readonly at: number; readonly size: number }>(atMost(maxRecorded));

  constructor(
    private readonly links: LinkStore,
    private readonly lock: GarbageLock,
    private readonly times: GarbageTimes,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** A blob that the repository has. @returns false when it was removed meanwhile. @throws StorageError */
  blob(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    return this.renew(repository, keys.blob(repository, digest));
  }

  /** As `blob`. */
  manifest(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    return this.renew(repository, keys.manifest(repository, digest));
  }

  /** To be called when a blob's record was written, and its content was seen after that. */
  note(repository: RepositoryRef, digest: Digest, size: number): void {
    const [key, at] = [keys.blob(repository, digest), this.clock.monotonic()];
    this.renewed.set(key, at);
    this.recorded.set(key, { at, size });
  }

  /**
   * Size of a blob that this process recorded within the last 30 s. No sweep takes content that is so new (`ContentLock`),
   * but its record may have been removed.
   */
  findNew(repository: RepositoryRef, digest: Digest): number | undefined {
    const known = this.recorded.get(keys.blob(repository, digest));
    return known && this.clock.monotonic() - known.at < recordedFor ? known.size : undefined;
  }

  private async renew(repository: RepositoryRef, key: string): Promise<boolean> {
    const now = this.clock.monotonic();
    const before = this.renewed.get(key);
    if (before !== undefined && now - before < this.times.granularity) return true;
    const entry = await this.links.find(key);
    if (!entry) return false;
    const age = this.ageOf(entry);
    if (age > this.times.granularity && !(await this.links.renew(key))) return false;
    if (age > this.times.grace / 2) {
      // It may just be being removed. Whoever decides about it later sees that it is new.
      await this.lock.settled(repository);
      if (!(await this.links.find(key))) return false;
    }
    this.renewed.set(key, now);
    return true;
  }

  private ageOf({ usedAt }: { readonly usedAt: Date }): number {
    return this.clock.now() - usedAt.getTime();
  }
}
