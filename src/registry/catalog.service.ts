import { Injectable } from '@nestjs/common';
import type { Namespace } from '../oci/namespace.js';
import { HostedCatalogService } from './hosted/hosted-catalog.service.js';
import type { TagPage } from './list-page.js';

/** The repositories that content was pushed to (`/v2/_catalog`). */
@Injectable()
export class CatalogService {
  constructor(private readonly hosted: HostedCatalogService) {}

  /**
   * @param namespace a hosted one; undefined: all of them, and names that begin with theirs.
   * @throws OciError
   */
  list(
    { n, last }: { readonly n?: number | undefined; readonly last?: string | undefined },
    namespace?: Namespace,
  ): Promise<TagPage> {
    return this.hosted.list(n, last, namespace);
  }
}
