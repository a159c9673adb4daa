import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { Digest } from '../../oci/digest.js';
import { findStringArray, JsonError, readJson } from '../../oci/json/json.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ListStore, type ListRecord } from '../../storage/stores/list.store.js';
import type { ListPage } from '../../upstream/lists/list.page.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import type { HeldBody } from '../../upstream/transport/body.js';
import { LongBody } from '../../upstream/transport/long.body.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { reasonOf, toResponseError } from '../response-error.js';
import type { CacheStatus } from '../statistics/traffic.counts.js';
import type { ReferrersPage, TagPage } from '../list-page.js';
import { inTime, within } from './deadline.js';
import { ageOf, decide, freshnessOf, type Freshness } from './freshness/freshness.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { LongList, type ListFormat } from './lists/long.list.js';
import { LongLists } from './lists/long.lists.js';
import { SingleFlight } from '../reading/single-flight.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';

/** Milliseconds that a stored list is fresh. Short, because pushes change it. */
const listFreshness = 30_000;

interface ListResult {
  readonly record: Omit<ListRecord, 'body'> & { readonly body: Uint8Array | LongList };
  readonly cache: CacheStatus;
}

/** A kind of list: its name, the code for its absence, and how to request it. */
interface Listing {
  readonly name: string;
  readonly missing: 'NAME_UNKNOWN' | 'MANIFEST_UNKNOWN';
  readonly format: ListFormat;
  /** @param isKnown the upstream has returned this list before. */
  readonly ask: (isKnown: boolean) => Promise<ListPage & { readonly filters?: string | undefined }>;
  /** What clients get for the whole document. @throws UpstreamError `wrong` when it is no such list */
  readonly documentOf: (body: Buffer) => Uint8Array;
}

/** Tag lists (end-8) and referrers (end-12) from the upstream, cached for 30 s and for outages. */
@Injectable()
export class MirroredListsService {
  private readonly logger = new Logger('Lists');
  private readonly flights = new SingleFlight<ListResult>();
  /** Requests that exceeded the patience of a caller: later callers with a stale list do not wait for them. */
  private readonly late = new Set<string>();

  constructor(
    private readonly lists: ListStore,
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    private readonly refusals: NegativeCache,
    private readonly longLists: LongLists,
    private readonly traffic: TrafficCounts,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** @param query of the client, which goes upstream. @throws OciError */
  async tags(repository: RepositoryRef, query: URLSearchParams): Promise<TagPage> {
    // Many registries take n=0 for no limit, where the specification wants an empty list.
    if (query.get('n') === '0') return this.noTags(repository, query);
    const result = await this.resultOf(repository, {
      name: `tags?${shortened(query)}`,
      missing: 'NAME_UNKNOWN',
      format: { field: 'tags', head: headOf(repository) },
      ask: () => this.upstream.listTags(repository, query),
      documentOf: (body) => tagsDocument(repository, body),
    });
    return { ...this.page(result), body: result.record.body };
  }

  /** Asks for one, so that a repository that does not exist stays unknown. */
  private async noTags(repository: RepositoryRef, query: URLSearchParams): Promise<TagPage> {
    const one = new URLSearchParams(query);
    one.set('n', '1');
    const page = await this.tags(repository, one);
    if (!(page.body instanceof Uint8Array)) page.body.close();
    return { ...page, next: undefined, body: Buffer.concat([headOf(repository), Buffer.from('[]}')]) };
  }

  /**
   * @param query of the client, which goes upstream.
   * @throws OciError; MANIFEST_UNKNOWN where the upstream has no referrers, so that clients try the referrers tag.
   */
  async referrers(repository: RepositoryRef, digest: Digest, query: URLSearchParams): Promise<ReferrersPage> {
    const result = await this.resultOf(repository, {
      name: `referrers/${digest.toString()}?${shortened(query)}`,
      missing: 'MANIFEST_UNKNOWN',
      format: { field: 'manifests' },
      ask: (isKnown) => this.upstream.listReferrers(repository, digest, query, isKnown),
      documentOf: (body) => {
        if (!isReferrersIndex(body)) throw new UpstreamError('wrong', 'the upstream sent no referrers index');
        return body;
      },
    });
    const { body, filters } = result.record;
    return { ...this.page(result), body, filters };
  }

  private page({ record, cache }: ListResult): Pick<TagPage, 'next' | 'cache' | 'age'> {
    const next = record.next === undefined ? undefined : new URLSearchParams(record.next);
    return { next, cache, age: ageOf(record, this.clock.now()) };
  }

  private async resultOf(repository: RepositoryRef, listing: Listing): Promise<ListResult> {
    try {
      const result = await within(
        this.resolve(repository, listing).then((found) => this.own(repository, listing, found)),
      );
      this.traffic.of(repository.namespace.toString()).lists[result.cache] += 1;
      return result;
    } catch (error) {
      throw toResponseError(error, listing.missing);
    }
  }

  private async resolve(repository: RepositoryRef, listing: Listing): Promise<ListResult> {
    const { maxStale } = this.upstreams.get(repository.namespace).settings;
    const policy = { tagTtl: listFreshness, staleWhileRevalidate: 0, maxStale };
    const record = await this.lists.find(repository, listing.name);
    const freshness = freshnessOf(record, policy, this.clock.now());
    if (record && freshness === 'fresh') return { record, cache: 'HIT' };
    const key = `list ${repository.toString()} ${listing.name}`;
    const asking = this.flights.run(key, () => this.ask(key, repository, listing, record, freshness));
    if (!record || freshness === 'expired') return asking;
    const isLate = this.late.has(key) || this.upstream.isSlow(repository);
    const result = isLate ? undefined : await inTime(asking);
    if (result) return result;
    this.late.add(key);
    asking
      .catch((error: unknown) => this.logger.debug(`could not refresh ${key}: ${reasonOf(error)}`))
      .finally(() => this.late.delete(key));
    return { record, cache: 'STALE' };
  }

  private async ask(
    key: string,
    repository: RepositoryRef,
    listing: Listing,
    record: ListRecord | undefined,
    freshness: Freshness,
  ): Promise<ListResult> {
    try {
      return await this.refusals.guard(key, () => this.fetch(repository, listing, record));
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      const decision = decide(freshness, error.isDefinitive ? 'refused' : 'failed');
      if (decision === 'forget' && record && error.kind !== 'refused') await this.forget(repository, listing);
      if (decision !== 'serve-stale' || !record) throw error;
      return { record, cache: 'STALE' };
    }
  }

  /** A long list can be sent once: those who waited for it together with another client ask for themselves. */
  private async own(repository: RepositoryRef, listing: Listing, found: ListResult): Promise<ListResult> {
    if (!(found.record.body instanceof LongList) || found.record.body.take()) return found;
    const own = await this.fetch(repository, listing);
    if (own.record.body instanceof LongList) own.record.body.take();
    return own;
  }

  private async fetch(repository: RepositoryRef, listing: Listing, known?: ListRecord): Promise<ListResult> {
    const leave = await this.longLists.enter(repository, listing.name);
    const { content, next, filters } = await listing.ask(known !== undefined).catch((error: unknown) => {
      leave?.();
      throw error;
    });
    const page = { next: nextQuery(next), filters, checkedAt: this.clock.now() };
    const body =
      content instanceof LongBody
        ? await this.readLong(repository, listing, content, leave)
        : this.readShort(repository, listing, content, leave);
    // It is sent as it arrives, and not kept for an outage.
    if (body instanceof LongList) return { record: { ...page, body }, cache: 'MISS' };
    const record = { ...page, body };
    await this.lists.put(repository, listing.name, record).catch((error: unknown) => {
      this.logger.warn(`could not store a list of ${repository.toString()}: ${reasonOf(error)}`);
    });
    return { record, cache: 'MISS' };
  }

  /** @param leave gives back the place for a long list that it has. */
  private async readLong(
    repository: RepositoryRef,
    { name, format }: Listing,
    content: LongBody,
    leave?: () => void,
  ): Promise<Uint8Array | LongList> {
    await this.longLists.admit(repository, name, content, leave);
    const list = new LongList(content, format);
    return (await list.collect()) ?? list;
  }

  private readShort(
    repository: RepositoryRef,
    { name, documentOf }: Listing,
    { content, hold }: HeldBody,
    leave?: () => void,
  ): Uint8Array {
    leave?.();
    this.longLists.forget(repository, name);
    hold.handOver();
    return documentOf(content);
  }

  private async forget(repository: RepositoryRef, { name }: Listing): Promise<void> {
    await this.lists.remove(repository, name).catch((error: unknown) => {
      this.logger.warn(`could not remove a list of ${repository.toString()}: ${reasonOf(error)}`);
    });
  }
}

/** The document with the array as the upstream wrote it; some registries send null for an empty one. */
function tagsDocument(repository: RepositoryRef, body: Buffer): Uint8Array {
  const tags = sound(() => findStringArray(body, 'tags'));
  if (tags === undefined) throw new UpstreamError('wrong', 'the upstream sent no tag list');
  return Buffer.concat([headOf(repository), tags ?? Buffer.from('[]'), Buffer.from('}')]);
}

function headOf({ name }: RepositoryRef): Buffer {
  return Buffer.from(`{"name":${JSON.stringify(name)},"tags":`);
}

function isReferrersIndex(body: Buffer): boolean {
  const index = sound(() => readJson(body, { fields: { manifests: 'value' } })) as { manifests?: unknown } | undefined;
  return Array.isArray(index?.manifests);
}

/** Undefined for what is no JSON. */
function sound<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Only the query of the upstream's link is kept: the client's own path and host replace the upstream's. */
function nextQuery(next: string | undefined): string | undefined {
  if (next === undefined || !URL.canParse(next, 'http://upstream')) return undefined;
  const query = new URL(next, 'http://upstream').searchParams;
  // The mirror would take it for the namespace.
  query.delete('ns');
  return query.toString();
}

/** The query, or its digest if clients could fill the memory with what is remembered by it. */
function shortened(query: URLSearchParams): string {
  const text = query.toString();
  return text.length <= 100 ? text : Digest.of(Buffer.from(text)).toString();
}
