import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { parsePushedManifest } from '../../oci/manifests/pushed-manifest.js';
import type { Reference, Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore, type HostedManifest } from '../../storage/stores/hosted/hosted.store.js';
import { TagLinkStore } from '../../storage/stores/hosted/tag-link.store.js';
import { ReferrerStore } from '../../storage/stores/hosted/referrer.store.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { toResponseError } from '../response-error.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { ContentLock } from './locks/content.lock.js';
import { referrerOf } from './manifest-pushes.service.js';
import { QuotaService } from './quota/quota.service.js';
import { ReferencesService } from './references.service.js';
import { assertHolds, TagWriter, type Preconditions } from './tag-writer.js';

/** Tags looked at together when a manifest is deleted. */
const batch = 10_000;
/** Concurrent reads of tags. */
const concurrency = 64;
/** Pushes of the same manifest at the same time after which a deletion begins anew. */
const attempts = 5;

/** Deletes tags, manifests and blobs (end-9, end-10): at once for every reader. Space comes back later. */
@Injectable()
export class DeletionsService {
  constructor(
    private readonly store: HostedStore,
    private readonly referrers: ReferrerStore,
    private readonly references: ReferencesService,
    private readonly links: TagLinkStore,
    private readonly tags: TagWriter,
    private readonly namespaces: HostedNamespaces,
    private readonly contents: ContentLock,
    private readonly bodies: StoredManifests,
    private readonly quota: QuotaService,
  ) {}

  /** A tag alone; a manifest with its tags and its place among referrers. @returns the tags. @throws OciError */
  async deleteManifest(
    repository: RepositoryRef,
    reference: Reference,
    conditions: Preconditions,
  ): Promise<readonly Tag[]> {
    this.assertAllowed(repository);
    try {
      return await (reference instanceof Digest
        ? this.deleteDigest(repository, reference, conditions)
        : this.deleteTag(repository, reference, conditions));
    } catch (error) {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    }
  }

  /** @throws OciError DENIED with status 405 for a blob of a manifest */
  async deleteBlob(repository: RepositoryRef, digest: Digest): Promise<void> {
    this.assertAllowed(repository);
    try {
      const record = await this.store.findBlob(repository, digest);
      if (!record) throw new OciError('BLOB_UNKNOWN');
      await this.assertUnused(repository, digest, false);
      await this.store.removeBlob(repository, digest);
      // A manifest that names it may have been pushed at the same time.
      await this.assertUnused(repository, digest, false).catch(async (error: unknown) => {
        await this.contents.take(digest);
        await this.store.putBlob(repository, digest, record);
        throw error;
      });
      this.quota.removed(repository);
    } catch (error) {
      throw toResponseError(error, 'BLOB_UNKNOWN');
    }
  }

  private async deleteTag(repository: RepositoryRef, tag: Tag, conditions: Preconditions): Promise<readonly Tag[]> {
    if (!(await this.store.findTag(repository, tag))) throw new OciError('MANIFEST_UNKNOWN');
    await this.tags.remove(repository, tag, conditions);
    return [tag];
  }

  private async deleteDigest(
    repository: RepositoryRef,
    digest: Digest,
    conditions: Preconditions,
  ): Promise<readonly Tag[]> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const record = await this.store.findManifest(repository, digest);
      if (!record) throw new OciError('MANIFEST_UNKNOWN');
      assertHolds(conditions, digest);
      const tags = await this.tryDelete(repository, digest, record);
      if (!tags) continue;
      this.quota.removed(repository);
      return tags;
    }
    throw new OciError('UNAVAILABLE', 'the manifest is being pushed', { retryAfter: 1 });
  }

  /**
   * Tags go first: one without its manifest would be a lie, a manifest without its tags is none.
   * @returns undefined when nothing was deleted, because it was pushed at the same time
   */
  private async tryDelete(
    repository: RepositoryRef,
    digest: Digest,
    record: HostedManifest,
  ): Promise<readonly Tag[] | undefined> {
    const tags = await this.tagsOf(repository, digest);
    await this.assertUnused(repository, digest, true);
    for (const tag of tags) this.tags.assertMutable(repository, tag);
    const gone: Tag[] = [];
    for (const tag of tags) if (await this.tags.discard(repository, tag, digest)) gone.push(tag);
    if (record.subject) await this.referrers.remove(repository, record.subject, digest);
    await this.store.removeManifest(repository, digest);
    try {
      // An index that lists it may have been pushed at the same time, or itself; see `ManifestPushesService.outlive`.
      await this.assertUnused(repository, digest, true);
      if (!(await this.isPushed(repository, digest, record))) return gone;
    } catch (error) {
      await this.restore(repository, digest, record, gone);
      throw error;
    }
    await this.restore(repository, digest, record, gone);
    return undefined;
  }

  private async isPushed(repository: RepositoryRef, digest: Digest, { subject }: HostedManifest): Promise<boolean> {
    if (subject && (await this.referrers.has(repository, subject, digest))) return true;
    return (await this.tagsOf(repository, digest)).length > 0;
  }

  /** Also the entry among referrers that a push may just have written when it was removed. */
  private async restore(
    repository: RepositoryRef,
    digest: Digest,
    record: HostedManifest,
    tags: readonly Tag[],
  ): Promise<void> {
    const { mediaType, size, subject } = record;
    await this.contents.take(digest);
    await this.store.putManifest(repository, digest, record);
    for (const tag of tags) await this.tags.restore(repository, tag, digest, record);
    const body = subject && (await this.bodies.find(digest, size));
    if (subject && body) {
      const document = parsePushedManifest(body, mediaType, digest.algorithm);
      await this.referrers.put(repository, subject, referrerOf(document, size));
    }
  }

  private async tagsOf(repository: RepositoryRef, digest: Digest): Promise<Tag[]> {
    const found: Tag[] = [];
    if (!this.store.isCached) {
      for await (const link of this.links.list(repository)) if (link.digest.equals(digest)) found.push(link.tag);
      return found;
    }
    let last: Tag | undefined;
    do {
      const tags = await this.store.listTags(repository, last, batch);
      last = tags.length < batch ? undefined : tags.at(-1);
      for (let done = 0; done < tags.length; done += concurrency) {
        const some = tags.slice(done, done + concurrency);
        const targets = await Promise.all(some.map((tag) => this.store.findTag(repository, tag)));
        for (const target of targets) if (target) this.references.note(target.digest, target.mediaType);
        found.push(...some.filter((_, index) => targets[index]?.digest.equals(digest) === true));
      }
    } while (last);
    return found;
  }

  private async assertUnused(repository: RepositoryRef, digest: Digest, indexesOnly: boolean): Promise<void> {
    const user = await this.references.findUser(repository, digest, indexesOnly);
    if (!user) return;
    throw new OciError('DENIED', `${user.toString()} refers to it: delete that first`, { status: 405 });
  }

  private assertAllowed({ namespace }: RepositoryRef): void {
    if (this.namespaces.settingsOf(namespace).deletes) return;
    throw new OciError('UNSUPPORTED', `nothing is deleted in ${namespace.toString()} (deletes: false)`);
  }
}
