import { Inject, Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { Clock } from '../../config/clock/clock.js';
import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { RefusalStore } from '../../storage/stores/refusal.store.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { reasonOf } from '../response-error.js';
import { OriginService } from './origin.service.js';
import { PermissionService } from './permission.service.js';

/** Refusals kept in memory that could not be written, as on a full disk. */
const maxUnwritten = 1_000;

/** What upstreams have refused: an outage must not open it again, in any replica or after a restart. */
@Injectable()
export class RefusedContent {
  private readonly logger = new Logger('Outages');
  private readonly unwritten = new LRUCache<string, number>(atMost(maxUnwritten));

  constructor(
    private readonly store: RefusalStore,
    private readonly manifests: ManifestStore,
    private readonly origins: OriginService,
    private readonly permissions: PermissionService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Whether the upstream has refused the digest in the repository. @throws StorageError */
  async has(repository: RepositoryRef, digest: Digest): Promise<boolean> {
    return (await this.find(repository, digest)) !== undefined;
  }

  /** When the upstream last refused access to the repository: what it agreed to before is in doubt. @throws StorageError */
  findTime(repository: RepositoryRef): Promise<number | undefined> {
    return this.find(repository);
  }

  /** Runs a request to the upstream, and records its refusal. @throws what `ask` throws */
  async watch<T>(repository: RepositoryRef, digest: Digest | undefined, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof UpstreamError) await this.note(repository, digest, error);
      throw error;
    }
  }

  /** Clients choose names and digests, so only a refusal of what an outage could open is written. */
  private async note(repository: RepositoryRef, digest: Digest | undefined, { kind }: UpstreamError): Promise<void> {
    const isDenied = kind === 'unauthorized' || kind === 'denied';
    if (isDenied) this.permissions.noteRefusal(repository);
    if (!isDenied && (kind !== 'missing' || !digest)) return;
    try {
      if (!(await this.hasManifest(repository))) return;
      const isCached = digest !== undefined && (await this.origins.isSentToSame(repository, digest));
      const refused = [...(isDenied ? [undefined] : []), ...(isCached ? [digest] : [])];
      await Promise.all(refused.map((each) => this.put(repository, each)));
    } catch (error) {
      this.logger.warn(`could not record that ${repository.toString()} was refused: ${reasonOf(error)}`);
    }
  }

  private async put(repository: RepositoryRef, digest: Digest | undefined): Promise<void> {
    const key = keyOf(repository, digest);
    const refusedAt = this.clock.now();
    this.unwritten.set(key, refusedAt);
    await this.store.put(repository, digest, refusedAt);
    this.unwritten.delete(key);
  }

  private async find(repository: RepositoryRef, digest?: Digest): Promise<number | undefined> {
    return this.unwritten.get(keyOf(repository, digest)) ?? this.store.find(repository, digest);
  }

  private async hasManifest(repository: RepositoryRef): Promise<boolean> {
    for await (const _ of this.manifests.list(repository)) return true;
    return false;
  }
}

function keyOf(repository: RepositoryRef, digest: Digest | undefined): string {
  return `${repository.toString()}@${digest?.toString() ?? ''}`;
}
