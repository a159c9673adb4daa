import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import { keys } from './keys.js';
import { RecordStore, sizeOf } from './record.store.js';
import { orAbsent } from './storage-error.js';
import type { Ingest, StoredObject, StorageProvider } from './storage.provider.js';

/** Content by digest, and which repositories contain it. Content without a record is served to nobody. */
export class ContentStore {
  private readonly records: RecordStore;

  constructor(private readonly provider: StorageProvider) {
    this.records = new RecordStore(provider);
  }

  /** Size of a blob that the repository is recorded to contain; the content itself may have been removed since. */
  findLink(repository: RepositoryRef, digest: Digest): Promise<number | undefined> {
    return this.records.find(keys.blob(repository, digest), sizeOf);
  }

  /** Records that the repository contains the blob. The content has to be committed before. */
  async link(repository: RepositoryRef, digest: Digest, size: number): Promise<void> {
    await this.records.put(keys.blob(repository, digest), { size });
  }

  async open(digest: Digest): Promise<StoredObject | undefined> {
    return orAbsent(this.provider.open(keys.content(digest)));
  }

  /** Size in bytes of stored content. */
  async findSize(digest: Digest): Promise<number | undefined> {
    return (await orAbsent(this.provider.stat(keys.content(digest))))?.size;
  }

  createIngest(): Promise<Ingest> {
    return this.provider.createIngest();
  }

  /** Makes verified content readable under its digest. */
  commit(ingest: Ingest, digest: Digest): Promise<void> {
    return ingest.commit(keys.content(digest));
  }

  /** Removes content that turned out to be damaged, so that it is fetched anew. */
  discard(digest: Digest): Promise<void> {
    return this.provider.delete(keys.content(digest));
  }
}
