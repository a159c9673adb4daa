import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { TagStore } from '../../storage/stores/tag.store.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import { EvictionEvents } from './eviction.events.js';

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
    private readonly events: EvictionEvents,
  ) {}

  /**
   * @param reference a tag is removed together with its manifest. @param actor the identity of the operator, if it has one
   * @returns whether anything was removed. @throws StorageError; OciError UNSUPPORTED for what was pushed
   */
  async removeManifest(repository: RepositoryRef, reference: Reference, actor?: string): Promise<boolean> {
    this.assertMirrored(repository);
    if (reference instanceof Digest) return this.removeRecord(repository, reference, actor);
    const record = await this.tags.find(repository, reference);
    const hadTag = await this.remove(keys.tag(repository, reference));
    if (hadTag) await this.events.removed(repository, { kind: 'tag', tag: reference.name }, actor);
    const hadManifest = record !== undefined && (await this.removeRecord(repository, record.digest, actor));
    return hadTag || hadManifest;
  }

  /** @returns whether anything was removed. @param actor and @throws as `removeManifest` */
  async removeBlob(repository: RepositoryRef, digest: Digest, actor?: string): Promise<boolean> {
    this.assertMirrored(repository);
    const isRemoved = await this.remove(keys.blob(repository, digest));
    if (isRemoved) await this.events.removed(repository, { kind: 'blob', digest: digest.toString() }, actor);
    return isRemoved;
  }

  private async removeRecord(repository: RepositoryRef, digest: Digest, actor: string | undefined): Promise<boolean> {
    const isRemoved = await this.remove(keys.manifest(repository, digest));
    if (isRemoved) await this.events.removed(repository, { kind: 'manifest', digest: digest.toString() }, actor);
    return isRemoved;
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
