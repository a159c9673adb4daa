import { Injectable } from '@nestjs/common';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import type { SizedHead, OpenBlob } from '../blob.js';
import { UsesService } from '../eviction/uses.service.js';
import { MountSources } from '../reading/mount.sources.js';
import { StoredBlobs } from '../reading/stored-blobs.js';
import { toResponseError } from '../response-error.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';
import { counted, unchanged } from '../validity-check.js';
import { RenewalsService } from './garbage/renewals.service.js';

/** Blobs of hosted repositories: what is not here does not exist. */
@Injectable()
export class HostedBlobsService {
  constructor(
    private readonly store: HostedStore,
    private readonly catalog: CatalogStore,
    private readonly content: ContentStore,
    private readonly stored: StoredBlobs,
    private readonly mounts: MountSources,
    private readonly uses: UsesService,
    private readonly renewals: RenewalsService,
    private readonly traffic: TrafficCounts,
  ) {}

  /** @throws OciError BLOB_UNKNOWN */
  async head(repository: RepositoryRef, digest: Digest): Promise<SizedHead> {
    const size = await responding(this.findSize(repository, digest));
    // A client that sees damaged content would not push it again.
    if (size === undefined || !(await responding(this.stored.isIntact(digest, size))))
      throw new OciError('BLOB_UNKNOWN');
    return { digest, size, cache: 'HIT' };
  }

  /** @throws OciError BLOB_UNKNOWN before the first byte */
  async open(repository: RepositoryRef, digest: Digest): Promise<OpenBlob> {
    const blob = await responding(this.find(repository, digest));
    if (!blob) throw new OciError('BLOB_UNKNOWN');
    const { blobs } = this.traffic.of(repository.namespace.toString());
    blobs.HIT += 1;
    return blob.validity ? { ...blob, validity: counted(blob.validity, blobs) } : blob;
  }

  /**
   * Size of a blob that the repository contains and the storage has. A client that sees it does not push it: it is kept for
   * the manifest that comes next.
   * @throws StorageError
   */
  async findSize(repository: RepositoryRef, digest: Digest): Promise<number | undefined> {
    const record = await this.store.findBlob(repository, digest);
    const size = record && (await this.content.findSize(digest));
    if (size === undefined || size !== record?.size) return undefined;
    if (!(await this.renewals.blob(repository, digest))) return undefined;
    this.uses.blob(repository, digest);
    return size;
  }

  /**
   * Records that the repository contains content that was committed, or is there, since `ContentLock.take`.
   * @param stored settles when verified content is committed. The record may be there before: without content it counts as
   * absent, and waiting for one flush after the other would take a small blob twice as long.
   * @throws OciError UNAVAILABLE when it is not there; StorageError; errors of `stored`
   */
  async add(repository: RepositoryRef, digest: Digest, size: number, stored?: Promise<void>): Promise<void> {
    const recorded = this.record(repository, digest, size);
    // Neither goes on alone when the other has failed.
    const [storing, recording] = await Promise.allSettled([stored, recorded]);
    if (storing.status === 'rejected') throw storing.reason;
    if (recording.status === 'rejected') throw recording.reason;
    if ((await this.content.findSize(digest)) !== size)
      throw new OciError('UNAVAILABLE', 'the content was removed meanwhile', { retryAfter: 1 });
    this.renewals.note(repository, digest, size);
  }

  private async record(repository: RepositoryRef, digest: Digest, size: number): Promise<void> {
    await this.catalog.add(repository);
    await Promise.all([this.store.putBlob(repository, digest, { size }), this.mounts.note(repository, digest)]);
  }

  private async find(repository: RepositoryRef, digest: Digest): Promise<OpenBlob | undefined> {
    const record = await this.store.findBlob(repository, digest);
    if (!record) return undefined;
    const isKept = this.store.isCached ? this.store.watchBlob(repository, digest, record) : undefined;
    const opened = await this.stored.open(digest, record.size, (bytes) => {
      if (!isKept) return undefined;
      return () => (isKept() && this.content.holdsSmall(digest, bytes) ? unchanged : undefined);
    });
    if (opened) this.uses.blob(repository, digest);
    return opened;
  }
}

async function responding<T>(response: Promise<T>): Promise<T> {
  try {
    return await response;
  } catch (error) {
    throw toResponseError(error, 'BLOB_UNKNOWN');
  }
}
