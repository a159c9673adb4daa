import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../config/clock/clock.js';
import type { Digest } from '../../../oci/digest.js';
import { keys } from '../../../storage/keys.js';
import { LinkStore } from '../../../storage/stores/hosted/link.store.js';
import { UsesService } from '../../eviction/uses.service.js';
import { LeaseLock } from './lease.lock.js';
import { ContentRemoval } from './content.removal.js';

/** Milliseconds for which content counts as just written or used: no sweep takes it then. */
const fresh = 60_000;

/**
 * Keeps content from being removed by a sweep while a repository takes it into use. The sweep looks at its age after it
 * has taken the lock; the other makes it new first and then waits for the lock, so that either sees the other.
 */
@Injectable()
export class ContentLock {
  private readonly removing = new Map<string, Promise<unknown>>();

  constructor(
    private readonly links: LinkStore,
    private readonly shared: LeaseLock,
    private readonly uses: UsesService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * To be called before content is committed, or looked up, that a record is about to name. What is there afterwards
   * stays, and so does what is committed now.
   * @throws StorageError
   */
  async take(digest: Digest): Promise<void> {
    this.uses.hold(digest);
    await this.removing.get(digest.toString())?.catch(() => undefined);
    const entry = await this.links.find(keys.content(digest));
    if (!entry) return;
    const age = Math.abs(this.clock.now() - entry.usedAt.getTime());
    if (age > fresh) await this.links.renew(entry.key);
    if (this.shared.isNeeded) await this.shared.settled(keys.contentLeases(digest));
  }

  /** For one sweep. */
  removal(): ContentRemoval {
    return new ContentRemoval(this.removing, this.shared.isNeeded ? this.shared : undefined);
  }
}
