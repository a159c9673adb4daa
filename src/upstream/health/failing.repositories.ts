import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { Clock } from '../../config/clock/clock.js';

/** Repositories that must fail before the failure is more than theirs. */
const enough = 3;
/** Milliseconds within which they must fail. */
const window = 30_000;
/** Maximum number of repositories that are remembered. */
const maxFailed = 20;
const maxBroken = 200;

/**
 * The repositories that something has failed for without a success in between. Those that fail while others are served
 * are broken themselves, and count no more until they have been served.
 */
export class FailingRepositories {
  /** Times on the monotonic clock; the newest is last. */
  private readonly failed = new Map<string, number>();
  private readonly broken = new LRUCache<string, true>(atMost(maxBroken));

  constructor(private readonly clock: Clock) {}

  /** @returns whether so many different repositories have failed that it is not about one of them. */
  add(repository: string): boolean {
    if (this.broken.has(repository)) return false;
    const now = this.clock.monotonic();
    this.failed.delete(repository);
    this.failed.set(repository, now);
    for (const [name, time] of this.failed)
      if (now - time > window || this.failed.size > maxFailed) this.failed.delete(name);
    return this.failed.size >= enough;
  }

  /** A repository has been served. */
  noteSuccess(repository: string): void {
    for (const name of this.failed.keys()) this.broken.set(name, true);
    this.failed.clear();
    this.broken.delete(repository);
  }
}
