import { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { permissionOf, RecordStore, sizeOf, type Permission, type RecordFields } from './record.store.js';
import { setAside } from './set-aside.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { Ingest, StoredObject, StorageProvider } from '../storage.provider.js';

/** Bytes of content that is served from memory: configurations of images, mostly. */
const smallContent = 64 * 1024;

/** A blob that a repository contains. */
export interface BlobRecord extends Permission {
  /** Bytes. */
  readonly size: number;
}

/** Content by digest, and which repositories contain it. Content without a record is served to nobody. */
export class ContentStore {
  private readonly records: RecordStore;
  /** How often content is open for reading, by key. */
  private readonly readers = new Map<string, number>();

  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly space = new SpaceLedger(),
  ) {
    this.records = new RecordStore(provider, hot, undefined, space);
  }

  /** What is recorded of a blob that the repository contains; the content itself may have been removed since. */
  findLink(repository: RepositoryRef, digest: Digest): Promise<BlobRecord | undefined> {
    return this.records.find(keys.blob(repository, digest), readRecord);
  }

  /** Records that the repository contains the blob. The content has to be committed before. */
  async link(repository: RepositoryRef, digest: Digest, record: BlobRecord): Promise<void> {
    await this.records.put(keys.blob(repository, digest), { ...record });
    this.space.add(1, 0);
  }

  /** The repository no longer contains the blob, as far as we know; the content stays. */
  unlink(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.blob(repository, digest));
  }

  /** Until it is closed, `isOpen` says so. */
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

  /** Whether somebody here reads it now. */
  isOpen(digest: Digest): boolean {
    return this.readers.has(keys.content(digest));
  }

  /**
   * Small content in memory, after it was compared with its digest once.
   * @param size as the record says it; larger content and damaged content, which is set aside, give undefined.
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
      return await this.hot.through(keys.content(digest), read, (content) => content.length);
    } catch (error) {
      if (error instanceof StorageError && (error.kind === 'not-found' || error.kind === 'too-large')) return undefined;
      throw error;
    }
  }

  /** A question that costs no reading: whether these are still the record and the bytes that memory has. */
  watch(repository: RepositoryRef, digest: Digest, record: BlobRecord, bytes: Buffer): () => boolean {
    const [recordKey, contentKey] = [keys.blob(repository, digest), keys.content(digest)];
    return () => this.hot.holds(recordKey, record) && this.hot.holds(contentKey, bytes);
  }

  /** Size in bytes of stored content. */
  async findSize(digest: Digest): Promise<number | undefined> {
    return (await orAbsent(this.provider.stat(keys.content(digest))))?.size;
  }

  /**
   * Begins to write content that should turn out to have the digest.
   * @param size bytes to come, as far as it is known.
   * @param isTransient it will probably not be committed.
   * @throws StorageError `full` when they are more than may be kept
   */
  async createIngest(
    digest: Digest,
    { size, isTransient = false }: { size?: number | undefined; isTransient?: boolean } = {},
  ): Promise<Ingest> {
    this.space.check(size);
    return this.provider.createIngest({ key: keys.content(digest), isTransient });
  }

  /** A URL at which clients can read stored content themselves for `seconds`; undefined when the storage has none. */
  urlOf(digest: Digest, seconds: number): Promise<string | undefined> {
    return this.provider.urlOf(keys.content(digest), seconds);
  }

  /** Makes verified content readable under its digest. @throws StorageError, and then the ingest is aborted */
  async commit(ingest: Ingest, digest: Digest): Promise<void> {
    try {
      // Others may have taken the space since the ingest was begun.
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

  /** Sets aside content that turned out to be damaged, so that it is fetched anew. */
  async discard(digest: Digest): Promise<void> {
    const key = keys.content(digest);
    this.hot.forget(key);
    if (await setAside(this.provider, key).finally(() => this.hot.forget(key))) this.space.setAside();
  }

  private enter(key: string): () => void {
    this.readers.set(key, (this.readers.get(key) ?? 0) + 1);
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
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
