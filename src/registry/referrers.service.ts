import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { ReferrersPage } from './list-page.js';
import { HostedListsService } from './hosted/hosted-lists.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';

/** Referrers of manifests (end-12). */
@Injectable()
export class ReferrersService {
  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedListsService,
    private readonly mirrored: MirroredListsService,
  ) {}

  /**
   * @param query of the client, which goes upstream where there is one.
   * @throws OciError; MANIFEST_UNKNOWN where the registry has no referrers, so that clients try the referrers tag.
   */
  list(repository: RepositoryRef, digest: Digest, query: URLSearchParams): Promise<ReferrersPage> {
    const lists = this.namespaces.has(repository.namespace) ? this.hosted : this.mirrored;
    return lists.referrers(repository, digest, query);
  }
}
