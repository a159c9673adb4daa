import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { BlobRequest, OpenBlob, SizedHead } from './blob.js';
import { DeletionsService } from './hosted/deletions.service.js';
import { HostedBlobsService } from './hosted/hosted-blobs.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { MirroredBlobsService } from './mirrored/mirrored-blobs.service.js';
import { PushRights } from './push-rights.js';

/** Blobs of repositories (end-2, end-10). */
@Injectable()
export class BlobsService {
  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedBlobsService,
    private readonly mirrored: MirroredBlobsService,
    private readonly rights: PushRights,
    private readonly deletions: DeletionsService,
  ) {}

  /** Describes a blob, without downloading it unless nothing else tells its size. @throws OciError */
  head(repository: RepositoryRef, digest: Digest): Promise<SizedHead> {
    return this.isHosted(repository) ? this.hosted.head(repository, digest) : this.mirrored.head(repository, digest);
  }

  /** @throws OciError before the first byte */
  open(request: BlobRequest): Promise<OpenBlob> {
    const { repository, digest } = request;
    return this.isHosted(repository) ? this.hosted.open(repository, digest) : this.mirrored.open(request);
  }

  /** @throws OciError */
  async delete(repository: RepositoryRef, digest: Digest): Promise<void> {
    this.rights.assert(repository);
    return this.deletions.deleteBlob(repository, digest);
  }

  /** Whether the blob is being downloaded, or being committed after that. */
  isDownloading(repository: RepositoryRef, digest: Digest): boolean {
    return !this.isHosted(repository) && this.mirrored.isDownloading(repository, digest);
  }

  private isHosted({ namespace }: RepositoryRef): boolean {
    return this.namespaces.has(namespace);
  }
}
