import { Logger } from '@nestjs/common';
import type { Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { ManifestStore } from '../../../storage/stores/manifest.store.js';
import type { TagRecord, TagStore } from '../../../storage/stores/tag.store.js';
import { reasonOf } from '../../response-error.js';
import type { PermissionService } from '../permission.service.js';

/** Writes what the upstream has said of tags. A failure of the storage is logged: the response does not depend on it. */
export class TagRecords {
  private readonly logger = new Logger('Tags');

  constructor(
    private readonly tags: TagStore,
    private readonly manifests: ManifestStore,
    private readonly permissions: PermissionService,
  ) {}

  /** Records the confirmation. A record that cannot be written costs another upstream request later. */
  async keep(
    repository: RepositoryRef,
    tag: Tag,
    found: Omit<TagRecord, 'checkedAt'>,
    before?: TagRecord,
  ): Promise<TagRecord> {
    const { digest, mediaType, size, fallback } = found;
    const { isPrivate, agreedAt: checkedAt } = this.permissions.permission(repository, found);
    const resolvedAt = before?.digest.equals(digest) === true ? before.resolvedAt : checkedAt;
    const record = { digest, mediaType, size, checkedAt, resolvedAt, fallback, ...(isPrivate && { isPrivate }) };
    await this.tags.put(repository, tag, record).catch((error: unknown) => {
      this.logger.warn(`could not store the tag ${repository.toString()}:${tag.name}: ${reasonOf(error)}`);
    });
    return record;
  }

  async forget(repository: RepositoryRef, tag: Tag): Promise<void> {
    await this.tags.remove(repository, tag).catch((error: unknown) => {
      this.logger.warn(`could not remove the tag ${repository.toString()}:${tag.name}: ${reasonOf(error)}`);
    });
  }

  /** A manifest obtained with credentials may be revoked too: its permission is rechecked before the next response. */
  async distrustManifest(repository: RepositoryRef, { digest }: TagRecord): Promise<void> {
    try {
      const manifest = await this.manifests.find(repository, digest);
      if (manifest?.isPrivate === true) await this.manifests.link(repository, digest, { ...manifest, agreedAt: 0 });
    } catch (error) {
      this.logger.warn(`could not schedule a recheck of a manifest of ${repository.toString()}: ${reasonOf(error)}`);
    }
  }
}
