import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { Reference, Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { TagLinkStore } from '../../storage/stores/hosted/tag-link.store.js';
import { ReferrerStore } from '../../storage/stores/hosted/referrer.store.js';
import { toResponseError } from '../response-error.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { ContentLock } from './locks/content.lock.js';
import { ReferencesService } from './references.service.js';
import { TagWriter } from './tag-writer.js';

/** Tags looked at together when a manifest is deleted. */
const batch = 10_000;
/** Concurrent reads of tags. */
const concurrency = 64;

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
  ) {}

  /** A tag alone; a manifest with its tags and its place among referrers. @returns the tags. @throws OciError */
  async deleteManifest(repository: RepositoryRef, reference: Reference): Promise<readonly Tag[]> {
    this.assertAllowed(repository);
    try {
      return await (reference instanceof Digest
        ? this.deleteDigest(repository, reference)
        : this.deleteTag(repository, reference));
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
    } catch (error) {
      throw toResponseError(error, 'BLOB_UNKNOWN');
    }
  }

  private async deleteTag(repository: RepositoryRef, tag: Tag): Promise<readonly Tag[]> {
    if (!(await this.store.findTag(repository, tag))) throw new OciError('MANIFEST_UNKNOWN');
    await this.tags.remove(repository, tag);
    return [tag];
  }

  /** Tags go first: one without its manifest would be a lie, a manifest without its tags is none. */
  private async deleteDigest(repository: RepositoryRef, digest: Digest): Promise<readonly Tag[]> {
    const record = await this.store.findManifest(repository, digest);
    if (!record) throw new OciError('MANIFEST_UNKNOWN');
    const tags = await this.tagsOf(repository, digest);
    await this.assertUnused(repository, digest, true);
    for (const tag of tags) this.tags.assertMutable(repository, tag);
    for (const tag of tags) await this.tags.remove(repository, tag);
    const { subject } = record;
    const [referrer] = subject ? await this.referrers.read(repository, subject, [digest]) : [];
    if (subject) await this.referrers.remove(repository, subject, digest);
    await this.store.removeManifest(repository, digest);
    // An index that lists it may have been pushed at the same time.
    await this.assertUnused(repository, digest, true).catch(async (error: unknown) => {
      await this.contents.take(digest);
      await this.store.putManifest(repository, digest, record);
      if (subject && referrer) await this.referrers.put(repository, subject, referrer);
      throw error;
    });
    return tags;
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
