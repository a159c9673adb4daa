import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { TagStore } from '../../storage/stores/tag.store.js';

/**
 * Removes records of a repository on an operator's request, so that the next pull asks the upstream. The next sweep
 * removes the content if no repository contains it any more, since finding that out takes a walk over all of them.
 */
@Injectable()
export class RemovalService {
  constructor(
    private readonly objects: StoredObjects,
    private readonly tags: TagStore,
  ) {}

  /**
   * @param reference a tag is removed together with its manifest.
   * @returns whether anything was removed. @throws StorageError
   */
  async removeManifest(repository: RepositoryRef, reference: Reference): Promise<boolean> {
    if (reference instanceof Digest) return this.remove(keys.manifest(repository, reference));
    const record = await this.tags.find(repository, reference);
    const hadTag = await this.remove(keys.tag(repository, reference));
    const hadManifest = record !== undefined && (await this.remove(keys.manifest(repository, record.digest)));
    return hadTag || hadManifest;
  }

  /** @returns whether anything was removed. @throws StorageError */
  removeBlob(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    return this.remove(keys.blob(repository, digest));
  }

  private async remove(key: string): Promise<boolean> {
    const entry = await this.objects.find(key);
    if (entry) await this.objects.remove(entry);
    return entry !== undefined;
  }
}
