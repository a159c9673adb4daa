import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { Clock } from '../../config/clock/clock.js';
import type { Upstream } from '../upstream.js';

/** Milliseconds for which it is remembered whether a registry supports HEAD. */
const knownTime = 600_000;
/** Milliseconds within which a GET tells what a refused HEAD meant. */
const doubtTime = 30_000;
const maxKnown = 1_000;
const maxDoubts = 1_000;

/** Content that registries serve by HEAD, or do not. */
export type HeadTarget = 'manifests' | 'blobs';

/**
 * Whether registries support HEAD. Some respond 400, 404, 405 or 501 to every HEAD of manifests or blobs although GET
 * works. A refused HEAD is in doubt until a GET tells: if it succeeds, no more HEADs are sent for ten minutes. A 404 is in
 * doubt only while no HEAD has succeeded, so that absent content does not cost a GET, which may count as a pull.
 */
export class HeadSupport {
  private readonly known = new LRUCache<string, { isSupported: boolean; until: number }>(atMost(maxKnown));
  /** When the HEAD of a path was refused. */
  private readonly doubts = new LRUCache<string, number>(atMost(maxDoubts));

  constructor(private readonly clock: Clock) {}

  /** Undefined when it is not known. */
  find(upstream: Upstream, target: HeadTarget): boolean | undefined {
    const known = this.known.get(keyOf(upstream, target));
    return known && this.clock.monotonic() < known.until ? known.isSupported : undefined;
  }

  noteAccepted(upstream: Upstream, target: HeadTarget): void {
    this.learn(upstream, target, true);
  }

  /** @returns whether only a GET can tell what the response means. */
  noteRefused(upstream: Upstream, target: HeadTarget, path: string, status: number): boolean {
    const isAbsence = status === 404 || status === 410;
    if (status >= 500 && status !== 501) return false;
    if (isAbsence && this.find(upstream, target) === true) return false;
    // These may be about the repository, so nothing is remembered of the registry.
    if (status !== 401 && status !== 403) this.doubts.set(`${keyOf(upstream, target)} ${path}`, this.clock.monotonic());
    return true;
  }

  /** A GET of the path has been responded to. */
  noteFetched(upstream: Upstream, target: HeadTarget, path: string, isFound: boolean): void {
    const key = `${keyOf(upstream, target)} ${path}`;
    const refusedAt = this.doubts.get(key);
    this.doubts.delete(key);
    if (!isFound || refusedAt === undefined || this.clock.monotonic() - refusedAt > doubtTime) return;
    // After a HEAD that succeeded, a refusal is more likely to be a failure.
    if (this.find(upstream, target) === undefined) this.learn(upstream, target, false);
  }

  private learn(upstream: Upstream, target: HeadTarget, isSupported: boolean): void {
    this.known.set(keyOf(upstream, target), { isSupported, until: this.clock.monotonic() + knownTime });
  }
}

function keyOf({ key }: Upstream, target: HeadTarget): string {
  return `${key} ${target}`;
}
