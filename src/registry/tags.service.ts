import { Injectable } from '@nestjs/common';
import type { RepositoryRef } from '../oci/repository.js';
import type { TagPage } from './list-page.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';

/** Tag lists of repositories (end-8). */
@Injectable()
export class TagsService {
  constructor(private readonly mirrored: MirroredListsService) {}

  /** @param query of the client, which goes upstream. @throws OciError */
  list(repository: RepositoryRef, query: URLSearchParams): Promise<TagPage> {
    return this.mirrored.tags(repository, query);
  }
}
