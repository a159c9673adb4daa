import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import type { Reference, Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { TagRecord } from '../../../storage/stores/tag.store.js';
import type { HeldManifest, ManifestHead, UpstreamClient } from '../../../upstream/upstream.client.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { isHeadRefusal } from '../head-refusal.js';

/** Repositories remembered as supporting GET but not HEAD. */
const maxHeadless = 1_000;

/** What the upstream says of a tag now, with registries that refuse HEAD, lag behind, or limit pulls. */
export class TagSource {
  private readonly headless = new LRUCache<string, true>(atMost(maxHeadless));

  constructor(private readonly upstream: UpstreamClient) {}

  /** The result of a HEAD, or its refusal. */
  async head(repository: RepositoryRef, tag: Tag): Promise<ManifestHead | UpstreamError> {
    try {
      const head = await this.upstream.headManifest(repository, tag);
      this.headless.delete(repository.toString());
      return head;
    } catch (error) {
      if (error instanceof UpstreamError && isHeadRefusal(error)) return error;
      throw error;
    }
  }

  /** @param head result of a HEAD: the digest to fetch, or a refusal that a GET must confirm. @throws UpstreamError */
  get(
    repository: RepositoryRef,
    tag: Tag,
    record?: TagRecord,
    head?: ManifestHead | UpstreamError,
  ): Promise<HeldManifest> {
    return head instanceof UpstreamError
      ? this.getRefused(repository, tag, record, head)
      : this.getNamed(repository, tag, record, head);
  }

  /**
   * A registry that lags may name a digest by HEAD and not find it by GET. Only a 404 to the tag is about the tag, so the
   * tag itself is fetched. If that fails too, it is an outage: the HEAD has just found the tag.
   */
  private async getNamed(
    repository: RepositoryRef,
    tag: Tag,
    record: TagRecord | undefined,
    head: ManifestHead | undefined,
  ): Promise<HeldManifest> {
    if (head?.digest === undefined) return this.getManifest(repository, tag, record);
    try {
      return await this.getManifest(repository, head.digest, record);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    return this.getLagging(repository, tag, record);
  }

  private async getLagging(repository: RepositoryRef, tag: Tag, record?: TagRecord): Promise<HeldManifest> {
    try {
      return await this.getManifest(repository, tag, record);
    } catch (error) {
      if (!isMissing(error)) throw error;
      throw new UpstreamError('unavailable', 'the registry names a manifest that it does not have yet');
    }
  }

  /**
   * Some registries return 401 or 403 because they do not support HEAD, so a GET confirms the refusal. If it fails, the
   * refusal stands, and no fallback may override it (P7), unless the repository is known to refuse HEAD only.
   */
  private async getRefused(
    repository: RepositoryRef,
    tag: Tag,
    record: TagRecord | undefined,
    refusal: UpstreamError,
  ): Promise<HeldManifest> {
    const name = repository.toString();
    const isHeadless = this.headless.has(name);
    const stands = refusal.isDefinitive && !isHeadless;
    const manifest = await this.getManifest(repository, tag, isHeadless ? undefined : record).catch(
      (error: unknown) => {
        throw stands && error instanceof UpstreamError && !error.isDefinitive ? refusal : error;
      },
    );
    if (refusal.isDefinitive && manifest.fallback === undefined) this.headless.set(name, true);
    else if (stands) {
      manifest.hold.release();
      throw refusal;
    }
    return manifest;
  }

  /** With the pull limit used up, a stale record is better than a GET that would be refused and counted. */
  private getManifest(
    repository: RepositoryRef,
    reference: Reference,
    record: TagRecord | undefined,
  ): Promise<HeldManifest> {
    if (!record || !this.upstream.hasNoPullsLeft(repository)) return this.upstream.getManifest(repository, reference);
    return Promise.reject(new UpstreamError('rate-limited', 'the pull limit is used up'));
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof UpstreamError && error.kind === 'missing';
}
