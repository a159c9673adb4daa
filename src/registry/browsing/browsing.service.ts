import { Injectable } from '@nestjs/common';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { within } from '../mirrored/deadline.js';
import { toResponseError } from '../response-error.js';
import type { ImageView, RawManifest, RepositoriesPage, TagsPage } from './browsed.js';
import { ImageReader } from './image.reader.js';
import { RepositoriesReader, type RepositoriesQuery } from './repositories.reader.js';
import { TagsReader, type TagsQuery } from './tags.reader.js';
import type { Viewer } from './viewer.js';
import { VisibleRepositories } from './visible.repositories.js';

/** Milliseconds for one page: the storage may not respond. */
const deadline = 10_000;

/**
 * What is stored, for people to look at: hosted and mirrored alike, from the storage alone. Looking counts as no use, and
 * asks no upstream. What a viewer may not see is as absent as what does not exist.
 */
@Injectable()
export class BrowsingService {
  constructor(
    private readonly listing: RepositoriesReader,
    private readonly tagged: TagsReader,
    private readonly images: ImageReader,
    private readonly visible: VisibleRepositories,
  ) {}

  /** Undefined while the repositories are being listed. @throws OciError */
  repositories(viewer: Viewer, query: RepositoriesQuery): Promise<RepositoriesPage | undefined> {
    return responding(this.listing.page(viewer, query));
  }

  /** `listing` while its tags are being listed. @throws OciError */
  tags(viewer: Viewer, repository: RepositoryRef, query: TagsQuery): Promise<TagsPage | 'listing' | undefined> {
    return this.seen(viewer, repository, () => this.tagged.page(viewer, repository, query));
  }

  /** @throws OciError */
  image(viewer: Viewer, repository: RepositoryRef, reference: Reference): Promise<ImageView | undefined> {
    return this.seen(viewer, repository, () => this.images.find(viewer, repository, reference));
  }

  /** @throws OciError */
  rawManifest(viewer: Viewer, repository: RepositoryRef, reference: Reference): Promise<RawManifest | undefined> {
    return this.seen(viewer, repository, () => this.images.findRaw(viewer, repository, reference));
  }

  private seen<T>(
    viewer: Viewer,
    repository: RepositoryRef,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const reading = async () => ((await this.visible.has(viewer, repository)) ? read() : undefined);
    return responding(reading());
  }
}

async function responding<T>(response: Promise<T>): Promise<T> {
  try {
    return await within(response, deadline);
  } catch (error) {
    throw toResponseError(error, 'NAME_UNKNOWN');
  }
}
