import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { BlobRequest, OpenBlob, SizedHead } from './blob.js';
import { MirroredBlobsService } from './mirrored/mirrored-blobs.service.js';

/** Blobs of repositories (end-2). */
@Injectable()
export class BlobsService {
  constructor(private readonly mirrored: MirroredBlobsService) {}

  /** Describes a blob, without downloading it unless nothing else tells its size. @throws OciError */
  head(repository: RepositoryRef, digest: Digest): Promise<SizedHead> {
    return this.mirrored.head(repository, digest);
  }

  /** @throws OciError before the first byte */
  open(request: BlobRequest): Promise<OpenBlob> {
    return this.mirrored.open(request);
  }

  /** Whether the blob is being downloaded, or being committed after that. */
  isDownloading(repository: RepositoryRef, digest: Digest): boolean {
    return this.mirrored.isDownloading(repository, digest);
  }
}
