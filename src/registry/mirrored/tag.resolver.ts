import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import type { Digest } from '../../oci/digest.js';
import type { Manifest } from '../../oci/manifest.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { TagStore, type TagRecord } from '../../storage/stores/tag.store.js';
import { UpstreamClient, type ManifestHead, type Sourced } from '../../upstream/upstream.client.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import type { Upstream } from '../../upstream/upstream.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { ManifestWriter } from './manifest.writer.js';
import { PermissionService } from './permission.service.js';
import { RefusedContent } from './refused.content.js';
import type { ValidityCheck } from '../validity-check.js';
import { reasonOf } from '../response-error.js';
import type { CacheStatus } from '../statistics/traffic.counts.js';
import { inTime } from './deadline.js';
import { ageOf, decide, freshnessOf, type Freshness } from './freshness/freshness.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { policyOf, remembersRefusals, tagKey } from './freshness/tag.policy.js';
import { TagRecords } from './freshness/tag.records.js';
import { isMissing, TagSource } from './freshness/tag.source.js';
import { RequestLock } from './replicas/request.lock.js';
import { SingleFlight } from '../reading/single-flight.js';

export interface ResolvedTag {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly cache: CacheStatus;
  /** Seconds since the upstream last confirmed it. */
  readonly age: number;
  /** The fallback host that resolved the tag, if it was not the upstream's own host. */
  readonly fallback: string | undefined;
  /** The manifest, if it was fetched to resolve the tag. */
  readonly body?: Buffer;
  readonly validity?: ValidityCheck;
}

/** Resolves tags: from a fresh record, else from the upstream, else from the stale record. */
@Injectable()
export class TagResolver {
  private readonly logger = new Logger('Tags');
  private readonly flights = new SingleFlight<ResolvedTag>();
  private readonly revalidations = new SingleFlight<{ before: TagRecord | undefined; now: ResolvedTag }>();
  private readonly source: TagSource;
  private readonly records: TagRecords;

  constructor(
    private readonly tags: TagStore,
    private readonly manifests: ManifestStore,
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    private readonly refusals: NegativeCache,
    private readonly permissions: PermissionService,
    private readonly refused: RefusedContent,
    private readonly writer: ManifestWriter,
    private readonly lock: RequestLock,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.source = new TagSource(upstream);
    this.records = new TagRecords(tags, manifests, permissions);
  }

  /**
   * @param method HEAD of an unknown tag sends a HEAD upstream, which does not count against pull limits.
   * @throws UpstreamError, StorageError
   */
  async resolve(repository: RepositoryRef, tag: Tag, method: 'GET' | 'HEAD'): Promise<ResolvedTag> {
    const upstream = this.upstreams.get(repository.namespace);
    const record = await this.tags.find(repository, tag);
    const freshness = this.freshnessOf(repository, tag, record, upstream);
    if (record && freshness === 'fresh') return this.hit(repository, tag, record, upstream);
    const key = tagKey(repository, tag);
    const asking = this.flights.run(key, () => this.ask(repository, tag, method, record, freshness));
    if (!record || freshness === 'expired') return asking;
    const result = freshness === 'ageing' || this.upstream.isSlow(repository) ? undefined : await inTime(asking);
    if (result) return result;
    // The request continues in the background, for later requests.
    if (freshness !== 'ageing') this.upstream.noteSlow(repository);
    asking.catch((error: unknown) => this.logger.debug(`could not revalidate ${key}: ${reasonOf(error)}`));
    return this.resultOf(record, 'STALE');
  }

  /**
   * Asks the upstream now, however fresh the record is and whatever was refused before. An outage leaves the record.
   * @throws UpstreamError, StorageError
   */
  revalidate(repository: RepositoryRef, tag: Tag): Promise<{ before: TagRecord | undefined; now: ResolvedTag }> {
    const key = tagKey(repository, tag);
    return this.revalidations.run(key, async () => {
      const from = this.clock.now();
      const before = await this.tags.reread(repository, tag);
      this.refusals.forget(key);
      // As if it had expired: a failure is reported, and nothing is served in its place.
      return { before, now: await this.ask(repository, tag, 'GET', before, 'expired', from) };
    });
  }

  /** Fetches a tag whose recorded manifest the upstream does not have. @throws UpstreamError */
  refetch(repository: RepositoryRef, tag: Tag): Promise<ResolvedTag> {
    return this.flights.run(`${repository.toString()}:${tag.name} again`, async () => {
      const manifest = await this.upstream.getManifest(repository, tag).catch(async (error: unknown) => {
        if (isMissing(error)) await this.records.forget(repository, tag);
        throw error;
      });
      try {
        return await this.keepFetched(repository, tag, undefined, manifest, undefined);
      } finally {
        manifest.hold.handOver();
      }
    });
  }

  /** A tag whose permission is in doubt is not served before the upstream was asked. */
  private freshnessOf(
    repository: RepositoryRef,
    tag: Tag,
    record: TagRecord | undefined,
    upstream: Upstream,
  ): Freshness {
    const freshness = freshnessOf(record, policyOf(upstream, repository, tag, record), this.clock.now());
    const isUsable = freshness === 'fresh' || freshness === 'ageing';
    return record && isUsable && this.isInDoubt(repository, record) ? 'stale' : freshness;
  }

  private isInDoubt(repository: RepositoryRef, { isPrivate, checkedAt }: TagRecord): boolean {
    return this.permissions.isDue(repository, { isPrivate: isPrivate === true, agreedAt: checkedAt });
  }

  private async ask(
    repository: RepositoryRef,
    tag: Tag,
    method: 'GET' | 'HEAD',
    record: TagRecord | undefined,
    freshness: Freshness,
    from = -Infinity,
  ): Promise<ResolvedTag> {
    const key = tagKey(repository, tag);
    try {
      const request = () => {
        if (record) return this.once(repository, tag, () => this.confirm(repository, tag, record), from);
        if (method === 'HEAD') return this.lookUp(repository, tag);
        return this.once(repository, tag, () => this.fetch(repository, tag), from);
      };
      const lasts = remembersRefusals(this.upstreams.get(repository.namespace), tag);
      return await this.refusals.guard(key, () => this.refused.watch(repository, undefined, request), lasts);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      const decision = decide(freshness, error.isDefinitive ? 'refused' : 'failed');
      if (decision === 'forget' && record && error.kind !== 'refused') await this.records.forget(repository, tag);
      if (record && (error.kind === 'unauthorized' || error.kind === 'denied'))
        await this.records.distrustManifest(repository, record);
      if (decision !== 'serve-stale' || !record) throw error;
      this.logger.debug(`${key} is served stale: ${error.message}`);
      return this.resultOf(record, 'STALE');
    }
  }

  /** Another replica may have sent the same request, or be about to. @param from when the earliest one that counts began */
  private once(
    repository: RepositoryRef,
    tag: Tag,
    ask: () => Promise<ResolvedTag>,
    from: number,
  ): Promise<ResolvedTag> {
    const upstream = this.upstreams.get(repository.namespace);
    const find = async () => {
      const record = await this.tags.reread(repository, tag);
      return record && record.checkedAt >= from && this.freshnessOf(repository, tag, record, upstream) === 'fresh'
        ? this.resultOf(record, 'HIT')
        : undefined;
    };
    return this.lock.run(keys.tagLeases(repository, tag), { ask, find });
  }

  /** Sends HEAD, and GET only if the manifest is not stored: pull limits are spent on changes only. */
  private async confirm(repository: RepositoryRef, tag: Tag, record: TagRecord): Promise<ResolvedTag> {
    const head = await this.source.head(repository, tag);
    if (head instanceof UpstreamError || head.digest === undefined) return this.fetch(repository, tag, record, head);
    const { digest, fallback } = head;
    const isSame = decide('stale', digest.equals(record.digest) ? 'same' : 'moved') === 'refresh';
    // Size and type of the record may be those of an earlier HEAD.
    const known = (await this.manifests.find(repository, digest)) ?? (isSame && record.size > 0 ? record : undefined);
    if (!known) return this.fetch(repository, tag, record, head);
    const isPrivate = known.isPrivate === true || record.isPrivate === true;
    const found = { ...known, digest, fallback, isPrivate };
    return this.resultOf(await this.records.keep(repository, tag, found, record), 'REVALIDATED');
  }

  private async lookUp(repository: RepositoryRef, tag: Tag): Promise<ResolvedTag> {
    const head = await this.source.head(repository, tag);
    if (head instanceof UpstreamError) return this.fetch(repository, tag, undefined, head);
    const { digest, mediaType, size, fallback } = head;
    const known = digest && (await this.manifests.find(repository, digest));
    if (known) return this.resultOf(await this.records.keep(repository, tag, { ...known, digest, fallback }), 'MISS');
    if (digest === undefined || mediaType === undefined || size === undefined) return this.fetch(repository, tag);
    return this.resultOf(await this.records.keep(repository, tag, { digest, mediaType, size, fallback }), 'MISS');
  }

  /** @param head result of a HEAD: the digest to fetch, or a refusal that a GET must confirm. */
  private async fetch(
    repository: RepositoryRef,
    tag: Tag,
    record?: TagRecord,
    head?: ManifestHead | UpstreamError,
  ): Promise<ResolvedTag> {
    const manifest = await this.source.get(repository, tag, record, head);
    try {
      return await this.keepFetched(repository, tag, record, manifest, head);
    } finally {
      manifest.hold.handOver();
    }
  }

  private async keepFetched(
    repository: RepositoryRef,
    tag: Tag,
    record: TagRecord | undefined,
    manifest: Manifest & Sourced,
    head: ManifestHead | UpstreamError | undefined,
  ): Promise<ResolvedTag> {
    const { mediaType, body } = manifest;
    // The host that resolved the tag counts, not the host that sent the content.
    const fallback = head instanceof UpstreamError || head?.digest === undefined ? manifest.fallback : head.fallback;
    const resolved = { digest: manifest.digest, mediaType, size: body.length, fallback };
    // Schema 1 is passed through: its digest is not that of its bytes, so it cannot be stored.
    if (!manifest.storable) return { ...resolved, cache: 'MISS', age: 0, body };
    await this.writer.write(repository, manifest);
    const isSame = record?.digest.equals(manifest.digest) === true;
    const kept = await this.records.keep(repository, tag, resolved, record);
    return { ...this.resultOf(kept, isSame ? 'REVALIDATED' : 'MISS'), body };
  }

  private hit(repository: RepositoryRef, tag: Tag, record: TagRecord, upstream: Upstream): ResolvedTag {
    const isKept = this.tags.watch(repository, tag, record);
    const policy = policyOf(upstream, repository, tag, record);
    const validity: ValidityCheck = () => {
      const now = this.clock.now();
      const isFresh = freshnessOf(record, policy, now) === 'fresh' && !this.isInDoubt(repository, record);
      return isKept() && isFresh ? { age: ageOf(record, now) } : undefined;
    };
    return { ...this.resultOf(record, 'HIT'), validity };
  }

  private resultOf({ digest, mediaType, size, checkedAt, fallback }: TagRecord, cache: CacheStatus): ResolvedTag {
    return { digest, mediaType, size, cache, age: ageOf({ checkedAt }, this.clock.now()), fallback };
  }
}
