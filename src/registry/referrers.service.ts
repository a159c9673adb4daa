import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { ReferrersPage } from './list-page.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';

/** Referrers of manifests (end-12). */
@Injectable()
export class ReferrersService {
  constructor(private readonly mirrored: MirroredListsService) {}

  /**
   * @param query of the client, which goes upstream.
   * @throws OciError; MANIFEST_UNKNOWN where the registry has no referrers, so that clients try the referrers tag.
   */
  list(repository: RepositoryRef, digest: Digest, query: URLSearchParams): Promise<ReferrersPage> {
    return this.mirrored.referrers(repository, digest, query);
  }
}
