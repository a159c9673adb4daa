import { Injectable } from '@nestjs/common';
import type { Namespace } from '../oci/namespace.js';
import type { RepositoryRef } from '../oci/repository.js';
import { HostedCatalogService } from './hosted/hosted-catalog.service.js';
import { MirroredCatalogService } from './mirrored/mirrored-catalog.service.js';
import type { TagPage } from './list-page.js';

/** The repositories that content was pushed to, and with `--catalog all` those that are mirrored (`/v2/_catalog`). */
@Injectable()
export class CatalogService {
  constructor(
    private readonly hosted: HostedCatalogService,
    private readonly mirrored: MirroredCatalogService,
  ) {}

  /**
   * @param namespace a hosted one; undefined: all of them and the mirrored ones, with names that begin with theirs.
   * @param isVisible whether the reader may know of a repository; all of them unless given.
   * @throws OciError
   */
  list(
    { n, last }: { readonly n?: number | undefined; readonly last?: string | undefined },
    namespace?: Namespace,
    isVisible?: (repository: RepositoryRef) => boolean,
  ): Promise<TagPage> {
    const others = (after: string, most: number) => this.mirrored.list(after, most);
    if (namespace || !this.mirrored.isOn) return this.hosted.list(n, last, namespace, isVisible);
    return this.hosted.list(n, last, undefined, isVisible, others);
  }
}
