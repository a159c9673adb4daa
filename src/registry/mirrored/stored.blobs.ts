import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ServerSettings } from '../../config/server.settings.js';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { StorageError } from '../../storage/storage-error.js';
import type { StoredObject } from '../../storage/storage.provider.js';
import type { OpenBlob } from '../blob.js';
import type { CacheStatus } from '../cache-status.js';
import { SingleFlight } from '../single-flight.js';

/** Seconds that a client may read stored content from the storage itself: enough for a slow pull of a large layer. */
const redirectSeconds = 20 * 60;
/** Digests remembered as verified since the start. */
const maxChecked = 100_000;

/** Stored content, whatever repository it is for. Damaged content is set aside. */
@Injectable()
export class StoredBlobs {
  private readonly logger = new Logger('Blobs');
  private readonly checks = new SingleFlight<boolean>();
  private readonly checked = new LRUCache<string, true>({ maxSize: maxChecked, sizeCalculation: () => 1 });

  constructor(
    private readonly content: ContentStore,
    private readonly settings: ServerSettings,
  ) {}

  /** Content that clients may read from the storage itself; undefined leaves it to `open`. */
  async locate(digest: Digest, size: number): Promise<OpenBlob | undefined> {
    const location = await this.content.urlOf(digest, redirectSeconds);
    const isCheckDue = this.settings.checkCacheDigest && !this.checked.has(digest.toString());
    if (location === undefined || isCheckDue || (await this.content.findSize(digest)) !== size) return undefined;
    const copy: OpenBlob['copy'] = async (range, sink, signal) => {
      const blob = await this.open(digest, size, 'HIT');
      if (!blob) throw new OciError('UNAVAILABLE', 'the stored content was removed');
      await blob.copy(range, sink, signal).finally(() => blob.close());
    };
    return { digest, size, cache: 'HIT', location, copy, close: () => Promise.resolve() };
  }

  /** @param size that it must have */
  async open(digest: Digest, size: number | undefined, cache: CacheStatus): Promise<OpenBlob | undefined> {
    const stored = await this.content.open(digest);
    if (!stored) return undefined;
    let isSound = false;
    try {
      isSound = await this.isSound(stored, digest, size);
    } finally {
      if (!isSound) await stored.close();
    }
    if (!isSound) return undefined;
    const copy: OpenBlob['copy'] = (range, sink, signal) =>
      stored.copy(range, sink, signal).catch((error: unknown) => this.discardDamaged(digest, error));
    return { digest, size: stored.size, cache, copy, close: () => stored.close() };
  }

  /** Discards truncated content, so that only this response fails. @throws the error */
  private async discardDamaged(digest: Digest, error: unknown): Promise<never> {
    if (error instanceof StorageError && error.kind === 'damaged') {
      this.logger.warn(`stored content of ${digest.toString()} is damaged and will be fetched again`);
      await this.content.discard(digest);
    }
    throw error;
  }

  /** Sets damaged content aside, so that it is downloaded again (P18). */
  private async isSound(stored: StoredObject, digest: Digest, size: number | undefined): Promise<boolean> {
    const isSound = (size === undefined || stored.size === size) && (await this.hasDigest(stored, digest));
    if (!isSound) {
      this.logger.warn(`stored content of ${digest.toString()} is damaged and will be fetched again`);
      await this.content.discard(digest);
    }
    return isSound;
  }

  private async hasDigest(stored: StoredObject, digest: Digest): Promise<boolean> {
    if (!this.settings.checkCacheDigest || this.checked.has(digest.toString())) return true;
    // Once for all concurrent requests; the first keeps its content open until the check ends.
    return this.checks.run(digest.toString(), () => this.check(stored, digest));
  }

  private async check(stored: StoredObject, digest: Digest): Promise<boolean> {
    const hash = digest.hasher();
    await stored.copy({ offset: 0, length: stored.size }, (chunk) => {
      hash.update(chunk);
      return Promise.resolve();
    });
    if (!digest.matches(hash)) return false;
    this.checked.set(digest.toString(), true);
    return true;
  }
}
