import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
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
    private readonly hosted: HostedNamespaces,
  ) {}

  /**
   * @param reference a tag is removed together with its manifest.
   * @returns whether anything was removed. @throws StorageError; OciError UNSUPPORTED for what was pushed
   */
  async removeManifest(repository: RepositoryRef, reference: Reference): Promise<boolean> {
    this.assertMirrored(repository);
    if (reference instanceof Digest) return this.remove(keys.manifest(repository, reference));
    const record = await this.tags.find(repository, reference);
    const hadTag = await this.remove(keys.tag(repository, reference));
    const hadManifest = record !== undefined && (await this.remove(keys.manifest(repository, record.digest)));
    return hadTag || hadManifest;
  }

  /** @returns whether anything was removed. @throws as `removeManifest` */
  async removeBlob(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    this.assertMirrored(repository);
    return this.remove(keys.blob(repository, digest));
  }

  /** What was pushed cannot be fetched again. */
  private assertMirrored({ namespace }: RepositoryRef): void {
    if (!this.hosted.has(namespace)) return;
    throw new OciError('UNSUPPORTED', `${namespace.toString()} is hosted: delete from it by DELETE /v2/…`);
  }

  private async remove(key: string): Promise<boolean> {
    const entry = await this.objects.find(key);
    if (entry) await this.objects.remove(entry);
    return entry !== undefined;
  }
}
