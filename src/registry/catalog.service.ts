import { Injectable } from '@nestjs/common';
import type { Namespace } from '../oci/namespace.js';
import type { RepositoryRef } from '../oci/repository.js';
import { HostedCatalogService } from './hosted/hosted-catalog.service.js';
import type { TagPage } from './list-page.js';

/** The repositories that content was pushed to (`/v2/_catalog`). */
@Injectable()
export class CatalogService {
  constructor(private readonly hosted: HostedCatalogService) {}

  /**
   * @param namespace a hosted one; undefined: all of them, and names that begin with theirs.
   * @param isVisible whether the reader may know of a repository; all of them unless given.
   * @throws OciError
   */
  list(
    { n, last }: { readonly n?: number | undefined; readonly last?: string | undefined },
    namespace?: Namespace,
    isVisible?: (repository: RepositoryRef) => boolean,
  ): Promise<TagPage> {
    return this.hosted.list(n, last, namespace, isVisible);
  }
}
