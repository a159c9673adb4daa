import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { ServerSettings } from '../../config/server.settings.js';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { StorageError } from '../../storage/storage-error.js';
import type { StoredObject } from '../../storage/storage.provider.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import type { OpenBlob } from '../blob.js';
import type { CacheStatus } from '../statistics/traffic.counts.js';
import type { ValidityCheck } from '../validity-check.js';
import { SingleFlight } from './single-flight.js';

/** Seconds that a client may read stored content from the storage itself: enough for a slow pull of a large layer. */
const redirectSeconds = 20 * 60;
/** Digests remembered as verified since the start. */
const maxChecked = 100_000;

/** Stored content, open for sending. Whether a repository contains it is decided before. */
@Injectable()
export class StoredBlobs {
  private readonly logger = new Logger('Blobs');
  private readonly checks = new SingleFlight<boolean>();
  private readonly checked = new LRUCache<string, true>(atMost(maxChecked));

  constructor(
    private readonly content: ContentStore,
    private readonly settings: ServerSettings,
  ) {}

  /**
   * @param size from the record.
   * @param validityOf the check for a response with these bytes, which are small content.
   * @returns undefined when the content is absent or damaged.
   */
  async open(
    digest: Digest,
    size: number,
    validityOf: (bytes: Buffer) => ValidityCheck | undefined,
  ): Promise<OpenBlob | undefined> {
    const bytes = await this.content.findSmall(digest, size);
    if (bytes?.length === size) return ofBytes(digest, bytes, validityOf(bytes));
    return (await this.locate(digest, size)) ?? (await this.openContent(digest, size, 'HIT'));
  }

  /** Whether content is what its digest says, as far as the settings want that to be checked. What is not is set aside. */
  async isIntact(digest: Digest, size: number): Promise<boolean> {
    if (!this.settings.checkCacheDigest || this.checked.has(digest.toString())) return true;
    const opened = await this.openContent(digest, size, 'HIT');
    await opened?.close();
    return opened !== undefined;
  }

  async openContent(digest: Digest, size: number | undefined, cache: CacheStatus): Promise<OpenBlob | undefined> {
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

  /** Content that clients may read from the storage itself; undefined leaves it to `openContent`. */
  private async locate(digest: Digest, size: number): Promise<OpenBlob | undefined> {
    const location = await this.content.urlOf(digest, redirectSeconds);
    const isCheckDue = this.settings.checkCacheDigest && !this.checked.has(digest.toString());
    if (location === undefined || isCheckDue || (await this.content.findSize(digest)) !== size) return undefined;
    const copy: OpenBlob['copy'] = async (range, sink, signal) => {
      const blob = await this.openContent(digest, size, 'HIT');
      if (!blob) throw new OciError('UNAVAILABLE', 'the stored content was removed');
      await blob.copy(range, sink, signal).finally(() => blob.close());
    };
    return { digest, size, cache: 'HIT', location, copy, close: () => Promise.resolve() };
  }

  /** Discards truncated content, so that only this response fails. @throws the error */
  private async discardDamaged(digest: Digest, error: unknown): Promise<never> {
    if (error instanceof StorageError && error.kind === 'damaged') await this.discard(digest);
    throw error;
  }

  /** Sets damaged content aside, so that it is downloaded or pushed again (P18). */
  private async isSound(stored: StoredObject, digest: Digest, size: number | undefined): Promise<boolean> {
    const isSound = (size === undefined || stored.size === size) && (await this.hasDigest(stored, digest));
    if (!isSound) await this.discard(digest);
    return isSound;
  }

  private async discard(digest: Digest): Promise<void> {
    this.logger.warn(`stored content of ${digest.toString()} is damaged and will be fetched again`);
    await this.content.discard(digest);
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

function ofBytes(digest: Digest, bytes: Buffer, validity: ValidityCheck | undefined): OpenBlob {
  return {
    digest,
    size: bytes.length,
    cache: 'HIT',
    bytes,
    validity,
    copy: ({ offset, length }, sink) => sink(bytes.subarray(offset, offset + length)),
    close: () => Promise.resolve(),
  };
}
