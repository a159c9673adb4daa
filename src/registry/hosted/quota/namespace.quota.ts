import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../../config/clock/clock.js';
import type { Digest } from '../../../oci/digest.js';
import type { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import type { StoredObjects, StoredRecord } from '../../../storage/stores/stored.objects.js';
import { QuotaCount } from './quota.count.js';

/** Least milliseconds between two counts. */
const leastPause = 60_000;
/** A count that takes long is repeated after so many times what it took. */
const pauseFactor = 20;
/** Milliseconds that a push waits for a count. */
const longestWait = 10_000;
/** Sizes looked up at one time. */
const batch = 16;
/** Unknown sizes beyond which all content is listed instead: a list has a thousand of them. */
const mostLookups = 1_000;

/** The limits of one hosted namespace, and what counts against them. */
export class NamespaceQuota {
  private counting: Promise<void> | undefined;
  private countedAt = -Infinity;
  private took = 0;
  private hasRemoved = false;
  private sweepsSeen = 0;
  private counted = false;

  /** @param sweeps how many have ended in this process. @param report called with the error of a failed count */
  constructor(
    private readonly namespace: Namespace,
    readonly counts: readonly QuotaCount[],
    private readonly objects: StoredObjects,
    private readonly clock: Clock,
    private readonly sweeps: () => number,
    private readonly report: (error: unknown) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** Whether everything has been counted once. */
  get isCounted(): boolean {
    return this.counted;
  }

  get name(): string {
    return this.namespace.toString();
  }

  /** Takes the limits of other counts. @returns false when they are about other repositories, and nothing was changed */
  adopt(others: readonly QuotaCount[]): boolean {
    const names = (counts: readonly QuotaCount[]) => counts.map(({ repositories }) => repositories).join('\n');
    if (names(others) !== names(this.counts)) return false;
    for (const [index, count] of this.counts.entries()) count.limit = others[index]?.limit ?? count.limit;
    return true;
  }

  /** Until no count is running. */
  async settled(): Promise<void> {
    await this.counting;
  }

  /** The limits that a push to the repository has to keep. */
  of(repository: RepositoryRef): QuotaCount[] {
    return this.counts.filter(({ pattern }) => pattern.matches(repository));
  }

  /** Whether a count is running or due: other processes, or a sweep of this one, may have changed what it holds. */
  get isStale(): boolean {
    return this.counting !== undefined || this.isSwept || this.age >= Math.max(leastPause, this.rest);
  }

  /** Whether a count may find less than is known. */
  get mayHaveRoom(): boolean {
    return this.isStale || this.hasRemoved;
  }

  /** Whether a sweep of this process has ended since the last count. */
  get isSwept(): boolean {
    return this.sweeps() !== this.sweepsSeen;
  }

  /** A client has deleted something: whether a repository still has it is for the next count to tell. */
  noteRemoval(): void {
    this.hasRemoved = true;
  }

  /** Counts anew, unless a count is running; never throws. */
  recount(): Promise<void> {
    return (this.counting ??= this.count().finally(() => (this.counting = undefined)));
  }

  /** Waits for a new count, for a limited time. */
  async waitForCount(): Promise<void> {
    const stopped = new AbortController();
    const { signal } = stopped;
    const limit = delay(longestWait, undefined, { signal, ref: false }).catch(() => undefined);
    await Promise.race([this.recountWhenDue(signal), limit]);
    stopped.abort();
  }

  /** Whoever deletes and pushes in turn has this process count no more than a twentieth of the time, too. */
  private async recountWhenDue(signal: AbortSignal): Promise<void> {
    if (!this.isStale && this.age < this.rest)
      await delay(this.rest - this.age, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted && this.mayHaveRoom) await this.recount();
  }

  /** Milliseconds since the last count. */
  private get age(): number {
    return this.clock.monotonic() - this.countedAt;
  }

  /** Least milliseconds between two counts by what the last one took. */
  private get rest(): number {
    return this.took * pauseFactor;
  }

  private async count(): Promise<void> {
    const from = this.clock.monotonic();
    this.sweepsSeen = this.sweeps();
    this.hasRemoved = false;
    for (const count of this.counts) count.begin();
    let isWhole = false;
    try {
      await this.visit();
      isWhole = true;
      this.counted = true;
    } catch (error) {
      this.report(error);
    } finally {
      for (const count of this.counts) count.end(isWhole);
      this.countedAt = this.clock.monotonic();
      this.took = this.countedAt - from;
    }
  }

  /** @throws StorageError */
  private async visit(): Promise<void> {
    const unknown = new Map<string, { readonly digest: Digest; readonly counts: Set<QuotaCount> }>();
    for await (const record of this.objects.recordsOf(this.namespace)) {
      this.signal.throwIfAborted();
      const { digest } = record;
      const repository = digest && this.repositoryOf(record);
      if (!digest || !repository) continue;
      for (const count of this.of(repository)) {
        if (!count.lacks(digest)) continue;
        const entry = unknown.get(digest.toString()) ?? { digest, counts: new Set() };
        unknown.set(digest.toString(), { digest, counts: entry.counts.add(count) });
      }
    }
    const add = (digest: Digest, size: number) =>
      unknown.get(digest.toString())?.counts.forEach((count) => count.count(digest, size));
    if (unknown.size > mostLookups) await this.list(add);
    else
      await this.lookUp(
        [...unknown.values()].map(({ digest }) => digest),
        add,
      );
  }

  private async list(add: (digest: Digest, size: number) => void): Promise<void> {
    for await (const { digest, size } of this.objects.contents()) {
      this.signal.throwIfAborted();
      add(digest, size);
    }
  }

  private async lookUp(digests: readonly Digest[], add: (digest: Digest, size: number) => void): Promise<void> {
    for (let done = 0; done < digests.length; done += batch) {
      this.signal.throwIfAborted();
      const some = digests.slice(done, done + batch);
      const found = await Promise.all(some.map((digest) => this.objects.findContent(digest)));
      for (const [index, digest] of some.entries()) {
        // A record without its content takes no space.
        const size = found[index]?.size;
        if (size !== undefined) add(digest, size);
      }
    }
  }

  /** Undefined for a folder that is no repository. */
  private repositoryOf({ name }: StoredRecord): RepositoryRef | undefined {
    try {
      return RepositoryRef.of(this.namespace, name);
    } catch {
      return undefined;
    }
  }
}
