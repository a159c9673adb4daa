import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../oci/digest.js';
import { ManifestError } from '../../oci/manifest.js';
import { isIndex } from '../../oci/media-type.js';
import { parsePushedManifest, type PushedDocument } from '../../oci/manifests/pushed-manifest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { HostedStore, type HostedManifest } from '../../storage/stores/hosted/hosted.store.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { RenewalsService } from './garbage/renewals.service.js';

/** Concurrent look-ups of one manifest's content. */
const concurrency = 16;
/** Digests remembered, by the manifest that names them. */
const maxRemembered = 100_000;

/** What manifests of hosted repositories refer to, and whether it is there. */
@Injectable()
export class ReferencesService {
  private readonly known = new LRUCache<string, ReadonlySet<string>>({ maxSize: maxRemembered });

  constructor(
    private readonly store: HostedStore,
    private readonly content: ContentStore,
    private readonly bodies: StoredManifests,
    private readonly renewals: RenewalsService,
  ) {}

  /**
   * The first content that the repository lacks. What it has is kept for the manifest that is being pushed.
   * @param isSparse manifests of an index may be missing.
   * @throws StorageError
   */
  async findMissing(
    repository: RepositoryRef,
    document: Pick<PushedDocument, 'blobs' | 'manifests'>,
    isSparse: boolean,
  ): Promise<Digest | undefined> {
    return (
      (await this.findFirst(document.blobs, (digest) => this.hasBlob(repository, digest))) ??
      (isSparse ? undefined : await this.findFirst(document.manifests, (digest) => this.hasChild(repository, digest)))
    );
  }

  /** A manifest of the repository that refers to the digest. @param indexesOnly looks at those that list manifests */
  async findUser(repository: RepositoryRef, digest: Digest, indexesOnly: boolean): Promise<Digest | undefined> {
    for await (const { digest: user, record } of this.store.manifests(repository)) {
      if (user.equals(digest) || (indexesOnly && !isIndex(record.mediaType))) continue;
      if ((await this.referencesOf(user, record)).has(digest.toString())) return user;
    }
    return undefined;
  }

  /** What a manifest refers to never changes. */
  private async referencesOf(digest: Digest, record: HostedManifest): Promise<ReadonlySet<string>> {
    const known = this.known.get(digest.toString());
    if (known) return known;
    const body = await this.bodies.find(digest, record.size);
    const references = body ? referencesIn(body, record.mediaType, digest) : new Set<string>();
    if (body) this.known.set(digest.toString(), references, { size: references.size + 1 });
    return references;
  }

  private async findFirst(
    digests: readonly Digest[],
    isThere: (digest: Digest) => Promise<boolean>,
  ): Promise<Digest | undefined> {
    const different = [...new Map(digests.map((digest) => [digest.toString(), digest])).values()];
    for (let done = 0; done < different.length; done += concurrency) {
      const batch = different.slice(done, done + concurrency);
      const found = await Promise.all(batch.map(isThere));
      const missing = batch[found.indexOf(false)];
      if (missing) return missing;
    }
    return undefined;
  }

  private async hasBlob(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    const record = await this.store.findBlob(repository, digest);
    if (!record || (await this.content.findSize(digest)) !== record.size) return false;
    return this.renewals.blob(repository, digest);
  }

  /** BuildKit lists the layers of its cache in an index. */
  private async hasChild(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    if (await this.store.findManifest(repository, digest)) return this.renewals.manifest(repository, digest);
    return this.hasBlob(repository, digest);
  }
}

function referencesIn(body: Buffer, mediaType: string, digest: Digest): ReadonlySet<string> {
  try {
    const { blobs, manifests } = parsePushedManifest(body, mediaType, digest.algorithm);
    return new Set([...blobs, ...manifests].map(String));
  } catch (error) {
    if (error instanceof ManifestError) return new Set();
    throw error;
  }
}
