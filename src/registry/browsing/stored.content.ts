import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../oci/digest.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import type { Permission } from '../../storage/stores/record.store.js';
import { RefusalStore } from '../../storage/stores/refusal.store.js';
import { TagStore } from '../../storage/stores/tag.store.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import { PermissionService } from '../mirrored/permission.service.js';
import type { Viewer } from './viewer.js';

/** Repositories whose refusal is remembered, for so many milliseconds. */
const remembered = { max: 1_000, ttl: 2_000 };

/** What a tag names. */
export interface BrowsedTag {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** When it was last pushed, or confirmed by the upstream, in milliseconds since 1970. */
  readonly at: number;
  /** Mirrored with credentials: it is checked more often. */
  readonly isPrivate: boolean;
}

export interface BrowsedManifest {
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * The records of repositories, hosted and mirrored, as far as a viewer may see them. Reading one counts as no use, and asks
 * no upstream.
 */
@Injectable()
export class StoredContent {
  private readonly refused = new LRUCache<string, Promise<number | undefined>>(remembered);

  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedStore,
    private readonly tags: TagStore,
    private readonly manifests: ManifestStore,
    private readonly content: ContentStore,
    private readonly permissions: PermissionService,
    private readonly refusals: RefusalStore,
  ) {}

  isHosted({ namespace }: RepositoryRef): boolean {
    return this.namespaces.has(namespace);
  }

  /** @throws StorageError */
  async findTag(viewer: Viewer, repository: RepositoryRef, tag: Tag): Promise<BrowsedTag | undefined> {
    if (this.isHosted(repository)) {
      const found = await this.hosted.findTag(repository, tag);
      return found && { ...found, at: found.pushedAt, isPrivate: false };
    }
    const found = await this.tags.find(repository, tag);
    if (!found) return undefined;
    const { digest, mediaType, size, checkedAt, isPrivate = false } = found;
    const isSeen = await this.isSeen(viewer, repository, { isPrivate, agreedAt: checkedAt });
    return isSeen ? { digest, mediaType, size, at: checkedAt, isPrivate } : undefined;
  }

  /** @throws StorageError */
  async findManifest(viewer: Viewer, repository: RepositoryRef, digest: Digest): Promise<BrowsedManifest | undefined> {
    if (this.isHosted(repository)) return this.hosted.findManifest(repository, digest);
    const found = await this.manifests.find(repository, digest);
    return found && (await this.isSeen(viewer, repository, found)) ? found : undefined;
  }

  /** @throws StorageError */
  async findBlob(
    viewer: Viewer,
    repository: RepositoryRef,
    digest: Digest,
  ): Promise<{ readonly size: number } | undefined> {
    if (this.isHosted(repository)) return this.hosted.findBlob(repository, digest);
    const found = await this.content.findLink(repository, digest);
    return found && (await this.isSeen(viewer, repository, found)) ? found : undefined;
  }

  /**
   * What needed credentials is seen only where rules decide about it, and nothing of it while the upstream has refused the
   * repository since.
   */
  private async isSeen(viewer: Viewer, repository: RepositoryRef, permission: Permission): Promise<boolean> {
    if (viewer.isAdministrator) return true;
    if (permission.isPrivate && !viewer.seesPrivate) return false;
    if (this.permissions.isDoubted(repository, permission)) return false;
    const refusedAt = await this.findRefusal(repository);
    return refusedAt === undefined || permission.agreedAt > refusedAt;
  }

  /** When the upstream last refused the repository, read once for the rows of a page. */
  private findRefusal(repository: RepositoryRef): Promise<number | undefined> {
    const key = repository.toString();
    const known = this.refused.get(key);
    if (known) return known;
    const finding = this.refusals.find(repository);
    this.refused.set(key, finding);
    finding.catch(() => this.refused.delete(key));
    return finding;
  }
}
