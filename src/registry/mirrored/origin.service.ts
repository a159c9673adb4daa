import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { OriginStore, type Origin } from '../../storage/stores/origin.store.js';
import type { Upstream } from '../../upstream/upstream.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { reasonOf } from '../response-error.js';
import { PermissionService } from './permission.service.js';

/** Records kept in memory that could not be written, as on a full disk. */
const maxUnwritten = 1_000;

/** What a HEAD states. */
export interface Claim {
  readonly digest: Digest | undefined;
  /** Bytes. */
  readonly size: number | undefined;
}

/**
 * Whether stored content may be served under another repository because its upstream claims to have it (P14). An upstream
 * that has sent the bytes is believed. Another one is believed only about content that nobody needed credentials for,
 * and only if it states digest and size: a HEAD proves nothing, and must not open what a password protects.
 */
@Injectable()
export class OriginService {
  private readonly logger = new Logger('Origins');
  /** Records that could not be written. */
  private readonly unwritten = new LRUCache<string, Origin>(atMost(maxUnwritten));

  constructor(
    private readonly store: OriginStore,
    private readonly upstreams: UpstreamsService,
    private readonly permissions: PermissionService,
  ) {}

  /** @throws UpstreamError `refused` when the namespace is not mirrored here. */
  identityOf({ namespace }: RepositoryRef): string {
    return this.upstreams.get(namespace).identity;
  }

  /** The origin, if the repository's upstream could be believed by a HEAD. */
  async findUsable(repository: RepositoryRef, digest: Digest): Promise<Origin | undefined> {
    const origin = await this.find(digest);
    return origin && (!origin.isPrivate || this.isFrom(repository, origin)) ? origin : undefined;
  }

  /** Whether the claim of the repository's upstream is enough. */
  isProven(repository: RepositoryRef, digest: Digest, origin: Origin, claim: Claim): boolean {
    if (claim.digest && !claim.digest.equals(digest)) return false;
    if (this.isFrom(repository, origin)) return true;
    return !origin.isPrivate && claim.digest !== undefined && claim.size === origin.size;
  }

  /** Whether the repository's upstream was the last to send the content. */
  async isSentBy(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    const origin = await this.find(digest);
    return origin !== undefined && this.isFrom(repository, origin);
  }

  /** Whether the repository's upstream was the last to send the content, to the account that is configured now. */
  async isSentToSame(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    const origin = await this.find(digest);
    if (!origin || !this.isFrom(repository, origin)) return false;
    if (origin.account !== accountOf(this.upstreams.get(repository.namespace), repository)) return false;
    // An earlier version did not record the account.
    return origin.account !== undefined || !origin.isPrivate;
  }

  /** Records that the repository's upstream has just sent the content. Without the record it is downloaded again later. */
  async record(
    repository: RepositoryRef,
    digest: Digest,
    size: number,
    upstream = this.upstreams.get(repository.namespace),
  ): Promise<void> {
    const { isPrivate } = this.permissions.permission(repository, undefined, upstream);
    const origin = { upstream: upstream.identity, isPrivate, account: accountOf(upstream, repository), size };
    this.unwritten.delete(digest.toString());
    await this.store.put(digest, origin).catch((error: unknown) => {
      this.unwritten.set(digest.toString(), origin);
      this.logger.warn(`could not record the origin of ${digest.toString()}: ${reasonOf(error)}`);
    });
  }

  private async find(digest: Digest): Promise<Origin | undefined> {
    return this.unwritten.get(digest.toString()) ?? this.store.find(digest);
  }

  private isFrom(repository: RepositoryRef, { upstream }: Origin): boolean {
    return upstream === this.identityOf(repository);
  }
}

/** Identifies the accounts of an upstream and its fallbacks; undefined when they have none. @param name for clients */
function accountOf(upstream: Upstream, { name }: RepositoryRef): string | undefined {
  const names = [upstream, ...upstream.fallbacks].map(({ credentials }) => credentials.of(name)?.account ?? null);
  if (names.every((name) => name === null)) return undefined;
  return Digest.of(Buffer.from(JSON.stringify(names))).hex.slice(0, 32);
}
