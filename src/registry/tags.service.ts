import { Injectable } from '@nestjs/common';
import type { RepositoryRef } from '../oci/repository.js';
import type { TagPage } from './list-page.js';
import { HostedListsService } from './hosted/hosted-lists.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';

/** Tag lists of repositories (end-8). */
@Injectable()
export class TagsService {
  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedListsService,
    private readonly mirrored: MirroredListsService,
  ) {}

  /** @param query of the client, which goes upstream where there is one. @throws OciError */
  list(repository: RepositoryRef, query: URLSearchParams): Promise<TagPage> {
    const lists = this.namespaces.has(repository.namespace) ? this.hosted : this.mirrored;
    return lists.tags(repository, query);
  }
}
