import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import type { Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { TagPage } from './list-page.js';
import { HostedListsService } from './hosted/hosted-lists.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { within } from './mirrored/deadline.js';
import { MirroredListsService } from './mirrored/mirrored-lists.service.js';
import { TagResolver } from './mirrored/tag.resolver.js';
import { toResponseError } from './response-error.js';

/** What a tag names after it was refreshed. */
export interface RefreshedTag {
  readonly digest: Digest;
  /** What it named until then; undefined when it was not known. */
  readonly before: Digest | undefined;
}

/** Tag lists of repositories (end-8), and their tags. */
@Injectable()
export class TagsService {
  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedListsService,
    private readonly mirrored: MirroredListsService,
    private readonly resolver: TagResolver,
  ) {}

  /**
   * @param query of the client, which goes upstream where there is one.
   * @param name of the repository as the client has it. Lists of upstreams have theirs.
   * @throws OciError
   */
  list(repository: RepositoryRef, query: URLSearchParams, name = repository.name): Promise<TagPage> {
    if (!this.namespaces.has(repository.namespace)) return this.mirrored.tags(repository, query);
    return this.hosted.tags(repository, query, name);
  }

  /** Asks the upstream of a mirrored tag now, however fresh its record is. @throws OciError */
  async refresh(repository: RepositoryRef, tag: Tag): Promise<RefreshedTag> {
    if (this.namespaces.has(repository.namespace))
      throw new OciError('UNSUPPORTED', `${repository.namespace.toString()} is hosted: there is no upstream to ask`);
    try {
      const { before, now } = await within(this.resolver.revalidate(repository, tag));
      return { digest: now.digest, before: before?.digest };
    } catch (error) {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    }
  }
}
