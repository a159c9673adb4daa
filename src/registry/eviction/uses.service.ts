import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { Clock } from '../../config/clock/clock.js';
import { findDescribed } from '../../oci/manifests/described.js';
import type { Digest } from '../../oci/digest.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { reasonOf } from '../response-error.js';
import { useGranularity } from './retention.js';

/** Recorded uses remembered, and digests held, at one time. */
const maxNoted = 100_000;
/** By size, because the cache preallocates memory for a maximum count. */
const bounded = atMost(maxNoted);
/** Queued uses; beyond that they are dropped, and recorded by a later use. */
const maxWaiting = 20_000;
/** Concurrent storage requests. */
const concurrency = 4;

/**
 * Records when objects are used, so that unused ones can be evicted: at most one small write per object and hour, in
 * the background. This process removes nothing that it used within the last hour.
 */
@Injectable()
export class UsesService implements OnApplicationShutdown {
  private readonly logger = new Logger(UsesService.name);
  /** When the use of a record was last noted, and whether the content that its manifest describes was noted too. */
  private readonly noted = new LRUCache<string, { readonly at: number; readonly whole: boolean }>(bounded);
  private readonly held = new LRUCache<string, number>(bounded);
  private readonly waiting: string[] = [];
  private readonly running = new Set<Promise<void>>();
  private lost = -Infinity;

  constructor(
    private readonly objects: StoredObjects,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Notes that a stored blob was served. */
  blob(repository: RepositoryRef, digest: Digest): void {
    const key = keys.blob(repository, digest);
    if (this.isKnown(key)) return;
    this.record(digest, key);
  }

  /** @param body for GET: the content it describes is about to be pulled and is held as well. */
  manifest(repository: RepositoryRef, digest: Digest, body?: Buffer): void {
    const key = keys.manifest(repository, digest);
    const known = this.noted.get(key);
    const isKnown = known !== undefined && this.isRecent(known.at);
    if (isKnown && (known.whole || !body)) return;
    this.noted.set(key, { at: this.clock.monotonic(), whole: body !== undefined });
    if (!isKnown) this.record(digest, key);
    if (!body) return;
    const { blobs, manifests } = findDescribed(body);
    for (const blob of blobs) this.blob(repository, blob);
    for (const child of manifests) this.manifest(repository, child);
  }

  tag(repository: RepositoryRef, tag: Tag): void {
    const key = keys.tag(repository, tag);
    if (!this.isKnown(key)) this.enqueue(key);
  }

  hostedTag(repository: RepositoryRef, tag: Tag): void {
    const key = keys.hostedTag(repository, tag);
    if (!this.isKnown(key)) this.enqueue(key);
  }

  /** Keeps content that is about to be recorded. */
  hold(digest: Digest): void {
    this.held.set(digest.toString(), this.clock.monotonic());
  }

  /** Whether it was used, or described by a pulled manifest, within the last hour. */
  isHeld(digest: Digest): boolean {
    const at = this.held.peek(digest.toString());
    return at !== undefined && this.isRecent(at);
  }

  /** When a use was last not recorded, on the wall clock: something may look unused since before then that is not. */
  get lostAt(): number {
    return this.lost;
  }

  /** Waits until every noted use is recorded. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  /** Drops queued uses, which makes ages wrong by an hour at most. */
  async onApplicationShutdown(): Promise<void> {
    this.waiting.length = 0;
    await this.settled();
  }

  private isKnown(key: string): boolean {
    const known = this.noted.get(key);
    if (known !== undefined && this.isRecent(known.at)) return true;
    this.noted.set(key, { at: this.clock.monotonic(), whole: true });
    return false;
  }

  private isRecent(at: number): boolean {
    return this.clock.monotonic() - at < useGranularity;
  }

  private record(digest: Digest, key: string): void {
    this.held.set(digest.toString(), this.clock.monotonic());
    this.enqueue(keys.content(digest));
    this.enqueue(key);
  }

  private enqueue(key: string): void {
    if (this.waiting.length >= maxWaiting) {
      this.lost = this.clock.now();
      return;
    }
    this.waiting.push(key);
    if (this.running.size >= concurrency) return;
    const running = this.work().finally(() => this.running.delete(running));
    this.running.add(running);
  }

  private async work(): Promise<void> {
    for (let key = this.waiting.shift(); key !== undefined; key = this.waiting.shift()) {
      try {
        await this.objects.use(key, this.clock.now(), useGranularity);
      } catch (error) {
        const isFirst = this.lost === -Infinity;
        this.lost = this.clock.now();
        this.logger[isFirst ? 'warn' : 'debug'](`could not record a use of ${key}: ${reasonOf(error)}`);
      }
    }
  }
}
