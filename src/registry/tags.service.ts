import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../config/clock.js';
import type { Digest } from '../oci/digest.js';
import type { Manifest } from '../oci/manifest.js';
import type { Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { ManifestStore } from '../storage/manifest.store.js';
import { TagStore, type TagRecord } from '../storage/tag.store.js';
import { UpstreamClient } from '../upstream/upstream.client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { UpstreamsService } from '../upstream/upstreams.service.js';
import { reasonOf } from './answer-error.js';
import type { CacheStatus } from './cache-status.js';
import { ageOf, freshnessOf } from './freshness/freshness.js';
import { isHeadRefusal } from './head-refusal.js';
import { SingleFlight } from './single-flight.js';

/** Milliseconds that the upstream gets to confirm a tag when there is something stored to answer with (P6). */
const revalidationDeadline = 2_000;

export interface ResolvedTag {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly cache: CacheStatus;
  /** Seconds since the upstream confirmed it. */
  readonly age: number;
  /** The manifest, when resolving brought it. */
  readonly body?: Buffer;
}

/** What tags point to: from the record while it is fresh, else from the upstream, else from the record again. */
@Injectable()
export class TagsService {
  private readonly logger = new Logger(TagsService.name);
  private readonly flights = new SingleFlight<ResolvedTag>();

  constructor(
    private readonly tags: TagStore,
    private readonly manifests: ManifestStore,
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * @param method a HEAD for an unknown tag is answered by a HEAD, which does not count against pull limits.
   * @throws UpstreamError, StorageError
   */
  async resolve(repository: RepositoryRef, tag: Tag, method: 'GET' | 'HEAD'): Promise<ResolvedTag> {
    const { settings } = this.upstreams.get(repository.namespace);
    const record = await this.tags.find(repository, tag);
    if (record && freshnessOf(record, settings, this.clock.now()) === 'fresh') return this.answer(record, 'HIT');
    return this.flights.run(`${repository.toString()}:${tag.name}`, () => this.ask(repository, tag, method, record));
  }

  private async ask(
    repository: RepositoryRef,
    tag: Tag,
    method: 'GET' | 'HEAD',
    record: TagRecord | undefined,
  ): Promise<ResolvedTag> {
    if (!record && method === 'GET') return this.fetch(repository, tag);
    try {
      return await this.confirm(repository, tag, record);
    } catch (error) {
      if (!record || !(error instanceof UpstreamError) || error.isDefinitive) throw error;
      this.logger.debug(`${repository.toString()}:${tag.name} is answered stale: ${error.message}`);
      return this.answer(record, 'STALE');
    }
  }

  private async confirm(repository: RepositoryRef, tag: Tag, record: TagRecord | undefined): Promise<ResolvedTag> {
    const deadline = record && revalidationDeadline;
    const head = await this.upstream.headManifest(repository, tag, deadline).catch((error: unknown) => {
      if (isHeadRefusal(error)) return undefined;
      throw error;
    });
    const { digest, mediaType, size } = head ?? {};
    if (record && digest?.equals(record.digest) === true) {
      return this.answer(await this.keep(repository, tag, record), 'REVALIDATED');
    }
    if (digest === undefined || mediaType === undefined || size === undefined)
      return this.fetch(repository, tag, deadline);
    return this.answer(await this.keep(repository, tag, { digest, mediaType, size }), 'MISS');
  }

  private async fetch(repository: RepositoryRef, tag: Tag, deadline?: number): Promise<ResolvedTag> {
    const manifest = await this.upstream.getManifest(repository, tag, deadline);
    const { digest, mediaType, body } = manifest;
    const resolved = { digest, mediaType, size: body.length };
    // Schema 1 is passed through: its digest does not name its bytes, so nothing could be stored under it.
    if (!manifest.storable) return { ...resolved, cache: 'MISS', age: 0, body };
    await this.keepManifest(repository, manifest);
    return { ...this.answer(await this.keep(repository, tag, resolved), 'MISS'), body };
  }

  /** The record with the time of its confirmation. One that cannot be written costs another question next time. */
  private async keep(repository: RepositoryRef, tag: Tag, found: Omit<TagRecord, 'checkedAt'>): Promise<TagRecord> {
    const { digest, mediaType, size } = found;
    const record = { digest, mediaType, size, checkedAt: this.clock.now() };
    await this.tags.put(repository, tag, record).catch((error: unknown) => {
      this.logger.warn(`the tag ${repository.toString()}:${tag.name} was not kept: ${reasonOf(error)}`);
    });
    return record;
  }

  private async keepManifest(repository: RepositoryRef, manifest: Manifest): Promise<void> {
    await this.manifests.put(repository, manifest).catch((error: unknown) => {
      this.logger.warn(`a manifest of ${repository.toString()} was not kept: ${reasonOf(error)}`);
    });
  }

  private answer({ digest, mediaType, size, checkedAt }: TagRecord, cache: CacheStatus): ResolvedTag {
    return { digest, mediaType, size, cache, age: ageOf({ checkedAt }, this.clock.now()) };
  }
}
