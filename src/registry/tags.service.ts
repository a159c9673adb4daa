import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../config/clock.js';
import type { Digest } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import type { Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { ManifestStore } from '../storage/manifest.store.js';
import { TagStore, type TagRecord } from '../storage/tag.store.js';
import { UpstreamClient } from '../upstream/upstream.client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { UpstreamsService } from '../upstream/upstreams.service.js';
import { reasonOf } from './answer-error.js';
import type { CacheStatus } from './cache-status.js';
import { within } from './deadline.js';
import { ageOf, decide, freshnessOf, type Freshness } from './freshness/freshness.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { isHeadRefusal } from './head-refusal.js';
import { SingleFlight } from './single-flight.js';

/** Milliseconds that the upstream gets to confirm a tag when there is something stored to answer with (P6: 2 s). */
const revalidationDeadline = 1_800;

export interface ResolvedTag {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly cache: CacheStatus;
  /** Seconds since the upstream confirmed it. */
  readonly age: number;
  /** The fallback host that named the digest, when it was not the upstream's own. */
  readonly fallback: string | undefined;
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
    private readonly refusals: NegativeCache,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * @param method a HEAD for an unknown tag is answered by a HEAD, which does not count against pull limits.
   * @throws UpstreamError, StorageError
   */
  async resolve(repository: RepositoryRef, tag: Tag, method: 'GET' | 'HEAD'): Promise<ResolvedTag> {
    const { settings } = this.upstreams.get(repository.namespace);
    const record = await this.tags.find(repository, tag);
    const freshness = freshnessOf(record, settings, this.clock.now());
    if (record && freshness === 'fresh') return this.answer(record, 'HIT');
    const key = `${repository.toString()}:${tag.name}`;
    const asking = this.flights.run(key, () => this.ask(repository, tag, method, record, freshness));
    if (!record || freshness === 'expired') return asking;
    const answered = freshness === 'ageing' || this.upstream.isSlow(repository) ? undefined : await inTime(asking);
    if (answered) return answered;
    // The question goes on behind this answer, for the next who ask.
    if (freshness !== 'ageing') this.upstream.noteSlow(repository);
    asking.catch((error: unknown) => this.logger.debug(`${key} was not revalidated: ${reasonOf(error)}`));
    return this.answer(record, 'STALE');
  }

  private async ask(
    repository: RepositoryRef,
    tag: Tag,
    method: 'GET' | 'HEAD',
    record: TagRecord | undefined,
    freshness: Freshness,
  ): Promise<ResolvedTag> {
    const key = `${repository.toString()}:${tag.name}`;
    try {
      return await this.refusals.guard(key, () => {
        if (record) return this.confirm(repository, tag, record);
        return method === 'GET' ? this.fetch(repository, tag) : this.lookUp(repository, tag);
      });
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      const decision = decide(freshness, error.isDefinitive ? 'refused' : 'failed');
      if (decision === 'forget' && record && error.kind !== 'refused') await this.forget(repository, tag);
      if (decision !== 'serve-stale' || !record) throw error;
      this.logger.debug(`${key} is answered stale: ${error.message}`);
      return this.answer(record, 'STALE');
    }
  }

  /** Asks by HEAD, and gets the manifest only when the tag has moved: a pull limit is then spent on real change only. */
  private async confirm(repository: RepositoryRef, tag: Tag, record: TagRecord): Promise<ResolvedTag> {
    const head = await this.upstream.headManifest(repository, tag).catch((error: unknown) => {
      // With no pulls left a GET would only be refused: what HEAD said is then the answer.
      if (isHeadRefusal(error) && !this.upstream.hasNoPullsLeft(repository)) return undefined;
      throw error;
    });
    if (head?.digest === undefined) {
      if (this.upstream.hasNoPullsLeft(repository))
        throw new UpstreamError('rate-limited', 'the pull limit is used up');
      return this.fetch(repository, tag, record);
    }
    const { digest, fallback } = head;
    if (decide('stale', digest.equals(record.digest) ? 'same' : 'moved') === 'refresh') {
      return this.answer(await this.keep(repository, tag, { ...record, fallback }), 'REVALIDATED');
    }
    return this.fetch(repository, tag, record, digest);
  }

  private async lookUp(repository: RepositoryRef, tag: Tag): Promise<ResolvedTag> {
    const head = await this.upstream.headManifest(repository, tag).catch((error: unknown) => {
      if (isHeadRefusal(error)) return undefined;
      throw error;
    });
    const { digest, mediaType, size, fallback } = head ?? {};
    if (digest === undefined || mediaType === undefined || size === undefined) return this.fetch(repository, tag);
    return this.answer(await this.keep(repository, tag, { digest, mediaType, size, fallback }), 'MISS');
  }

  /** @param digest what the tag points to, when that is known; else the upstream is asked for the tag itself. */
  private async fetch(repository: RepositoryRef, tag: Tag, record?: TagRecord, digest?: Digest): Promise<ResolvedTag> {
    const manifest = await this.upstream.getManifest(repository, digest ?? tag);
    const { mediaType, body, fallback } = manifest;
    const resolved = { digest: manifest.digest, mediaType, size: body.length, fallback };
    // Schema 1 is passed through: its digest does not name its bytes, so nothing could be stored under it.
    if (!manifest.storable) return { ...resolved, cache: 'MISS', age: 0, body };
    await this.manifests.put(repository, manifest).catch((error: unknown) => {
      this.logger.warn(`a manifest of ${repository.toString()} was not kept: ${reasonOf(error)}`);
    });
    const isSame = record?.digest.equals(manifest.digest) === true;
    return { ...this.answer(await this.keep(repository, tag, resolved), isSame ? 'REVALIDATED' : 'MISS'), body };
  }

  /** The record with the time of its confirmation. One that cannot be written costs another question next time. */
  private async keep(repository: RepositoryRef, tag: Tag, found: Omit<TagRecord, 'checkedAt'>): Promise<TagRecord> {
    const { digest, mediaType, size, fallback } = found;
    const record = { digest, mediaType, size, checkedAt: this.clock.now(), fallback };
    await this.tags.put(repository, tag, record).catch((error: unknown) => {
      this.logger.warn(`the tag ${repository.toString()}:${tag.name} was not kept: ${reasonOf(error)}`);
    });
    return record;
  }

  private async forget(repository: RepositoryRef, tag: Tag): Promise<void> {
    await this.tags.remove(repository, tag).catch((error: unknown) => {
      this.logger.warn(`the tag ${repository.toString()}:${tag.name} was not removed: ${reasonOf(error)}`);
    });
  }

  private answer({ digest, mediaType, size, checkedAt, fallback }: TagRecord, cache: CacheStatus): ResolvedTag {
    return { digest, mediaType, size, cache, age: ageOf({ checkedAt }, this.clock.now()), fallback };
  }
}

/** Undefined when the answer takes longer than somebody with something older should wait. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await within(answer, revalidationDeadline);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
