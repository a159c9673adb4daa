import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { BodyMemory } from '../../config/memory/body.memory.js';
import { findDescribed } from '../../oci/manifests/described.js';
import { Digest } from '../../oci/digest.js';
import { maxManifestBytes } from '../../oci/manifest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { OriginService } from './origin.service.js';
import { RefusedContent } from './refused.content.js';

/** Repositories remembered, milliseconds for which they are, and digests that the manifests of each may name. */
const maxRepositories = 16;
const lifetime = 10_000;
const maxNames = 5_000;
/** Manifests of one repository that are listed, and those used last of them that are read. */
const maxListed = 10_000;
const maxRead = 2_000;

/** What a repository's stored manifests name, read as far as it was needed. */
interface Names {
  readonly digests: Set<string>;
  /** Manifests that have not been read. */
  readonly unread: Digest[];
  /** When the repository was refused: manifests that the upstream has not agreed to since name nothing. */
  readonly refusedAt: number | undefined;
  reading: Promise<void> | undefined;
}

/** Tells whether a stored manifest of a repository names some content, directly or through an index. */
@Injectable()
export class NamedContent {
  private readonly repositories = new LRUCache<string, Promise<Names>>({ ...atMost(maxRepositories), ttl: lifetime });

  constructor(
    private readonly manifests: ManifestStore,
    private readonly origins: OriginService,
    private readonly refused: RefusedContent,
    @Inject(BodyMemory) private readonly memory: BodyMemory,
  ) {}

  /** False also when there was no memory in time to read the manifests. @throws StorageError */
  async has(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    const names = await this.namesOf(repository, await this.refused.findTime(repository));
    const { digests, unread } = names;
    const wanted = digest.toString();
    while (!digests.has(wanted) && unread.length > 0 && digests.size < maxNames) {
      names.reading ??= this.readNext(repository, names).finally(() => (names.reading = undefined));
      await names.reading;
    }
    return digests.has(wanted);
  }

  private namesOf(repository: RepositoryRef, refusedAt: number | undefined): Promise<Names> {
    const key = `${repository.toString()} ${refusedAt ?? ''}`;
    const known = this.repositories.get(key);
    if (known) return known;
    const listing = this.list(repository, refusedAt);
    this.repositories.set(key, listing);
    listing.catch(() => this.repositories.delete(key));
    return listing;
  }

  private async list(repository: RepositoryRef, refusedAt: number | undefined): Promise<Names> {
    const listed: { readonly digest: Digest; readonly usedAt: Date }[] = [];
    for await (const manifest of this.manifests.list(repository)) {
      listed.push(manifest);
      if (listed.length === maxListed) break;
    }
    listed.sort((a, b) => b.usedAt.getTime() - a.usedAt.getTime());
    const unread = listed.slice(0, maxRead).map(({ digest }) => digest);
    return { digests: new Set(), unread, refusedAt, reading: undefined };
  }

  /** A manifest of an index may be stored for another repository only: it must have come the same way. */
  private async readNext(repository: RepositoryRef, { digests, unread, refusedAt }: Names): Promise<void> {
    const digest = unread.shift();
    if (!digest || !(await this.isAgreed(repository, digest, refusedAt))) return;
    const described = await this.read(digest);
    if (!described) return;
    for (const blob of described.blobs) digests.add(blob.toString());
    for (const child of described.manifests) {
      const isNew = !digests.has(child.toString()) && !unread.some((other) => other.equals(child));
      digests.add(child.toString());
      if (isNew && unread.length < maxRead && (await this.origins.isSentToSame(repository, child))) unread.push(child);
    }
  }

  /** A manifest without a record of its own is named by one that is agreed to. @param refusedAt of the repository */
  private async isAgreed(repository: RepositoryRef, digest: Digest, refusedAt: number | undefined): Promise<boolean> {
    const record = await this.manifests.find(repository, digest);
    if (!record) return !(await this.refused.has(repository, digest));
    return record.agreedAt > (refusedAt ?? 0);
  }

  private async read(digest: Digest): Promise<ReturnType<typeof findDescribed> | undefined> {
    const hold = await this.memory.take('clients', maxManifestBytes, () => undefined);
    if (!hold) return undefined;
    hold.complete();
    try {
      const body = await this.manifests.findBody(digest);
      return body && findDescribed(body);
    } finally {
      hold.release();
    }
  }
}
