import { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys } from './keys.js';
import { accessOf, RecordStore, sizeOf, type Access, type RecordFields } from './record.store.js';
import { orAbsent, StorageError } from './storage-error.js';
import type { Ingest, StoredObject, StorageProvider } from './storage.provider.js';

/** Bytes of content that is served from memory: configurations of images, mostly. */
const smallContent = 64 * 1024;

/** A blob that a repository contains. */
export interface BlobRecord extends Access {
  /** Bytes. */
  readonly size: number;
}

/** Content by digest, and which repositories contain it. Content without a record is served to nobody. */
export class ContentStore {
  private readonly records: RecordStore;

  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
  ) {
    this.records = new RecordStore(provider, hot);
  }

  /** What is recorded of a blob that the repository contains; the content itself may have been removed since. */
  findLink(repository: RepositoryRef, digest: Digest): Promise<BlobRecord | undefined> {
    return this.records.find(keys.blob(repository, digest), readRecord);
  }

  /** Records that the repository contains the blob. The content has to be committed before. */
  async link(repository: RepositoryRef, digest: Digest, record: BlobRecord): Promise<void> {
    await this.records.put(keys.blob(repository, digest), { ...record });
  }

  /** The repository no longer contains the blob, as far as we know; the content stays. */
  unlink(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.blob(repository, digest));
  }

  async open(digest: Digest): Promise<StoredObject | undefined> {
    return orAbsent(this.provider.open(keys.content(digest)));
  }

  /**
   * Small content in memory, after it was compared with its digest once.
   * @param size as the record says it; larger content and damaged content, which is removed, give undefined.
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

  /** Size in bytes of stored content. */
  async findSize(digest: Digest): Promise<number | undefined> {
    return (await orAbsent(this.provider.stat(keys.content(digest))))?.size;
  }

  /** Begins to write content that should turn out to have the digest. */
  createIngest(digest: Digest): Promise<Ingest> {
    return this.provider.createIngest({ key: keys.content(digest) });
  }

  /** A URL at which clients can read stored content themselves for `seconds`; undefined when the storage has none. */
  urlOf(digest: Digest, seconds: number): Promise<string | undefined> {
    return this.provider.urlOf(keys.content(digest), seconds);
  }

  /** Makes verified content readable under its digest. */
  commit(ingest: Ingest, digest: Digest): Promise<void> {
    return ingest.commit(keys.content(digest));
  }

  /** Removes content that turned out to be damaged, so that it is fetched anew. */
  discard(digest: Digest): Promise<void> {
    this.hot.forget(keys.content(digest));
    return this.provider.delete(keys.content(digest)).finally(() => this.hot.forget(keys.content(digest)));
  }
}

function readRecord(fields: RecordFields): BlobRecord | undefined {
  const size = sizeOf(fields);
  return size === undefined ? undefined : { size, ...accessOf(fields) };
}
