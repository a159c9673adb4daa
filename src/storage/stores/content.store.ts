import { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { permissionOf, RecordStore, sizeOf, type Permission, type RecordFields } from './record.store.js';
import { quarantine } from './quarantine.js';
import { MeteredIngest } from '../space/metered.ingest.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { Ingest, StoredObject, StorageProvider } from '../storage.provider.js';

/** Largest content served from memory, in bytes: mostly image configurations. */
const smallContent = 64 * 1024;

/** A blob that a repository contains. */
export interface BlobRecord extends Permission {
  /** In bytes. */
  readonly size: number;
}

/** Content by digest, and the repositories that contain it. Content without a record is never served. */
export class ContentStore {
  private readonly records: RecordStore;
  /** Number of open readers by key. */
  private readonly readers = new Map<string, number>();

  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly space = new SpaceLedger(),
  ) {
    this.records = new RecordStore(provider, hot, undefined, space);
  }

  /** The repository's record of a blob; the content itself may have been removed since. */
  findLink(repository: RepositoryRef, digest: Digest): Promise<BlobRecord | undefined> {
    return this.records.find(keys.blob(repository, digest), readRecord);
  }

  /** As `findLink`, past what is in memory: another replica may have written it since. */
  rereadLink(repository: RepositoryRef, digest: Digest): Promise<BlobRecord | undefined> {
    return this.records.reread(keys.blob(repository, digest), readRecord);
  }

  /** Records that the repository contains the blob, whose content must be committed already. */
  async link(repository: RepositoryRef, digest: Digest, record: BlobRecord): Promise<void> {
    await this.records.put(keys.blob(repository, digest), { ...record });
    this.space.add(1, 0);
  }

  /** Removes the repository's record of the blob; the content stays. */
  unlink(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.blob(repository, digest));
  }

  /** `isOpen` is true until the object is closed. */
  async open(digest: Digest): Promise<StoredObject | undefined> {
    const key = keys.content(digest);
    const leave = this.enter(key);
    try {
      const stored = await orAbsent(this.provider.open(key));
      if (!stored) leave();
      return (
        stored && { size: stored.size, copy: stored.copy.bind(stored), close: () => stored.close().finally(leave) }
      );
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Whether this process is reading the content. */
  isOpen(digest: Digest): boolean {
    return this.readers.has(keys.content(digest));
  }

  /**
   * Small content from memory, verified against its digest when it is loaded.
   * @param size from the record. Large content gives undefined, and so does damaged content, which is quarantined.
   */
  async findSmall(digest: Digest, size: number): Promise<Buffer | undefined> {
    if (size > smallContent) return undefined;
    const read = async () => {
      const content = await this.provider.read(keys.content(digest), smallContent);
      if (Digest.of(content, digest.algorithm).equals(digest)) return content;
      await this.discard(digest);
      return undefined;
    };
    try {
      return await this.hot.getOrRead(keys.content(digest), read, (content) => content.length);
    } catch (error) {
      if (error instanceof StorageError && (error.kind === 'not-found' || error.kind === 'too-large')) return undefined;
      throw error;
    }
  }

  /** Returns a check, without I/O, whether the memory cache still holds this record and these bytes. */
  watch(repository: RepositoryRef, digest: Digest, record: BlobRecord, bytes: Buffer): () => boolean {
    const [recordKey, contentKey] = [keys.blob(repository, digest), keys.content(digest)];
    return () => this.hot.holds(recordKey, record) && this.hot.holds(contentKey, bytes);
  }

  /** Whether the memory cache still holds these bytes. */
  holdsSmall(digest: Digest, bytes: Buffer): boolean {
    return this.hot.holds(keys.content(digest), bytes);
  }

  /** Size of stored content in bytes. */
  async findSize(digest: Digest): Promise<number | undefined> {
    return (await orAbsent(this.provider.stat(keys.content(digest))))?.size;
  }

  /**
   * Begins to write content that is expected to have the digest.
   * @param size in bytes, if known.
   * @param isTransient whether it will probably not be committed.
   * @throws StorageError `full` when the quota does not allow it
   */
  async createIngest(
    digest: Digest,
    { size, isTransient = false }: { size?: number | undefined; isTransient?: boolean } = {},
  ): Promise<Ingest> {
    this.space.check(size);
    const hints = { key: keys.content(digest), isTransient, ...(size !== undefined && { size }) };
    return new MeteredIngest(await this.provider.createIngest(hints), this.space);
  }

  /** A URL from which clients can read the content directly for `seconds`; undefined when the storage has none. */
  urlOf(digest: Digest, seconds: number): Promise<string | undefined> {
    return this.provider.urlOf(keys.content(digest), seconds);
  }

  /** Makes verified content readable under its digest. @throws StorageError after aborting the ingest */
  async commit(ingest: Ingest, digest: Digest): Promise<void> {
    try {
      // Other writes may have used the space since the ingest began.
      this.space.check(ingest.size);
    } catch (error) {
      await ingest.abort();
      throw error;
    }
    const { size } = ingest;
    const settle = this.space.reserve(size);
    try {
      await ingest.commit(keys.content(digest));
      settle(true);
    } catch (error) {
      settle(false);
      throw error;
    }
  }

  /** Quarantines damaged content, so that it is fetched again. */
  async discard(digest: Digest): Promise<void> {
    const key = keys.content(digest);
    this.hot.forget(key);
    if (await quarantine(this.provider, digest).finally(() => this.hot.forget(key))) this.space.quarantine();
  }

  private enter(key: string): () => void {
    this.readers.set(key, (this.readers.get(key) ?? 0) + 1);
    let isEntered = true;
    return () => {
      if (!isEntered) return;
      isEntered = false;
      const others = (this.readers.get(key) ?? 1) - 1;
      if (others === 0) this.readers.delete(key);
      else this.readers.set(key, others);
    };
  }
}

function readRecord(fields: RecordFields): BlobRecord | undefined {
  const size = sizeOf(fields);
  return size === undefined ? undefined : { size, ...permissionOf(fields) };
}
