import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { readImageConfig } from '../../oci/manifests/image-config.js';
import { readShownManifest, type ShownDescriptor, type ShownManifest } from '../../oci/manifests/shown-manifest.js';
import type { Digest } from '../../oci/digest.js';
import { platformText } from '../../oci/platform.js';
import { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import type { NamedTag } from '../../storage/stores/tag-name.store.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { freshnessOf } from '../mirrored/freshness/freshness.js';
import { policyOf } from '../mirrored/freshness/tag.policy.js';
import type { TagContent, TagFreshness, TagRow, TagsPage, TagSort } from './browsed.js';
import { BrowsedDocuments } from './documents.js';
import { placeOf } from './listing/sorted.js';
import { StoredContent, type BrowsedTag } from './stored.content.js';
import { byLastUse, TagIndex, type TagList } from './listing/tag.index.js';
import { Turns } from './listing/turns.js';
import type { Viewer } from './viewer.js';

/** Bytes of the largest manifest that is read for a row, and rows that are read at one time. */
const largestInRow = 128 * 1024;
const concurrency = 8;
/** Platforms named in a row. */
const mostPlatforms = 8;
/** Tags looked at for one page: more only where the records of most of them are gone, or are hidden. */
const mostLooked = 1_000;

export interface TagsQuery {
  /** Text that the tag has in it, in upper or lower case; empty for all. */
  readonly text: string;
  readonly sort: TagSort;
  /** Where the page starts, as `next` of the one before; empty for the first. */
  readonly last: string;
  readonly limit: number;
}

/** Pages of tags. */
@Injectable()
export class TagsReader {
  constructor(
    private readonly index: TagIndex,
    private readonly manifests: ManifestStore,
    private readonly content: StoredContent,
    private readonly documents: BrowsedDocuments,
    private readonly upstreams: UpstreamsService,
    private readonly turns: Turns,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Undefined for a repository of which the viewer may see nothing. @throws StorageError */
  async page(viewer: Viewer, repository: RepositoryRef, query: TagsQuery): Promise<TagsPage | 'listing' | undefined> {
    const list = await this.index.get(repository);
    if (!list) return 'listing';
    const rows: TagRow[] = [];
    let [looked, isCut] = [0, false];
    for await (const batch of this.batches(list, query)) {
      rows.push(
        ...(await Promise.all(batch.map((tag) => this.row(viewer, repository, tag)))).flatMap((row) => row ?? []),
      );
      looked += batch.length;
      isCut = looked >= mostLooked && rows.length <= query.limit;
      if (isCut || rows.length > query.limit) break;
    }
    const tags = rows.slice(0, query.limit);
    // Only a tag that the viewer knows may be in a link.
    const end = rows.length > query.limit || isCut ? tags.at(-1) : undefined;
    const next = end && (query.sort === 'name' ? end.name : `${end.usedAt ?? 0}~${end.name}`);
    const isAll = query.last === '' && query.text === '';
    const untagged = isAll && tags.length === 0 ? await this.untagged(viewer, repository, query.limit) : [];
    if (tags.length + untagged.length === 0 && (isAll || !(await this.exists(viewer, repository)))) return undefined;
    const isWhole = list.isWhole && !(isCut && !end);
    return { isHosted: this.content.isHosted(repository), tags, untagged, next, isWhole };
  }

  /** Whether the viewer may see anything of the repository. */
  private async exists(viewer: Viewer, repository: RepositoryRef): Promise<boolean> {
    return (await this.page(viewer, repository, { text: '', sort: 'name', last: '', limit: 1 })) !== undefined;
  }

  /** Some manifests of a repository without tags, which clients pull by digest. */
  private async untagged(viewer: Viewer, repository: RepositoryRef, limit: number): Promise<Digest[]> {
    const found: Digest[] = [];
    let looked = 0;
    for await (const { digest } of this.manifests.list(repository)) {
      if (await this.content.findManifest(viewer, repository, digest)) found.push(digest);
      looked += 1;
      if (found.length === limit || looked === mostLooked) break;
    }
    return found;
  }

  private async *batches(list: TagList, query: TagsQuery): AsyncGenerator<NamedTag[]> {
    const ordered = query.sort === 'time' ? list.byTime : list.byName;
    const text = query.text.toLowerCase();
    const turn = await this.turns.begin();
    let batch: NamedTag[] = [];
    for (let at = startOf(list, query); at < ordered.length; at += 1) {
      if (turn.isOver) await turn.pause();
      const tag = ordered[at] as NamedTag;
      if (text !== '' && !tag.name.toLowerCase().includes(text)) continue;
      if (batch.push(tag) < concurrency) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }

  /** The state of a mirrored tag, decided as a pull decides it. */
  freshnessOf(repository: RepositoryRef, tag: Tag, found: BrowsedTag): TagFreshness | undefined {
    if (this.content.isHosted(repository)) return undefined;
    const upstream = this.upstreams.find(repository.namespace);
    if (!upstream) return undefined;
    const record = { ...found, checkedAt: found.at };
    const policy = policyOf(upstream, repository, tag, record);
    const state = freshnessOf(record, policy, this.clock.now());
    if (state === 'unknown') return undefined;
    return { state, nextCheck: state === 'fresh' ? found.at + policy.tagTtl : undefined };
  }

  private async row(
    viewer: Viewer,
    repository: RepositoryRef,
    { name, usedAt }: NamedTag,
  ): Promise<TagRow | undefined> {
    const tag = Tag.parse(name);
    const found = await this.content.findTag(viewer, repository, tag);
    if (!found) return undefined;
    const { digest, at } = found;
    const content = await this.contentOf(viewer, repository, found);
    return { name, digest, at, usedAt, freshness: this.freshnessOf(repository, tag, found), content };
  }

  private async contentOf(
    viewer: Viewer,
    repository: RepositoryRef,
    { digest }: BrowsedTag,
  ): Promise<TagContent | undefined> {
    const manifest = await this.manifestOf(viewer, repository, digest);
    if (!manifest) return undefined;
    const { kind, size } = manifest;
    if (manifest.manifests.length > 0 || kind.kind === 'index')
      return this.contentOfIndex(viewer, repository, manifest);
    const platforms = kind.kind === 'image' ? await this.platformOf(viewer, repository, manifest) : [];
    return { kind, size, sizeOf: undefined, platforms };
  }

  /** The size of an index is that of one of its images: clients pull one. */
  private async contentOfIndex(
    viewer: Viewer,
    repository: RepositoryRef,
    { kind, manifests }: ShownManifest,
  ): Promise<TagContent> {
    const images = manifests.filter((entry) => isImage(entry));
    const platforms = images.flatMap(({ platform }) => (platform ? platformText(platform) : []));
    const named = [...new Set(platforms)].slice(0, mostPlatforms);
    const [first] = [...images].sort((one, other) => rankOf(one) - rankOf(other));
    const stored = first && (await this.manifestOf(viewer, repository, first.digest));
    const sizeOf = stored && first.platform ? platformText(first.platform) : undefined;
    return { kind, size: stored?.size, sizeOf, platforms: named };
  }

  private async manifestOf(viewer: Viewer, repository: RepositoryRef, digest: BrowsedTag['digest']) {
    const document = await this.documents.findManifest(viewer, repository, digest, largestInRow);
    if (!document?.body) return undefined;
    const turn = await this.turns.begin();
    const shown = readShownManifest(document.body, document.mediaType);
    if (turn.isOver) await turn.pause();
    return shown;
  }

  private async platformOf(viewer: Viewer, repository: RepositoryRef, { config }: ShownManifest): Promise<string[]> {
    if (config?.size === undefined || config.size > largestInRow) return [];
    const bytes = await this.documents.findBlob(viewer, repository, config.digest);
    if (!bytes || bytes.length > largestInRow) return [];
    await this.turns.next();
    const platform = readImageConfig(bytes)?.platform;
    return platform === undefined ? [] : [platform];
  }
}

/** Attestations are in an index for no platform. */
export function isImage({ platform, told }: ShownDescriptor): boolean {
  return told.referenceType === undefined && platform?.os !== 'unknown';
}

function rankOf({ platform }: ShownDescriptor): number {
  return platform?.os === 'linux' && platform.architecture === 'amd64' ? 0 : 1;
}

/** The place of the first tag of the page. */
function startOf(list: TagList, { sort, last }: TagsQuery): number {
  if (last === '') return 0;
  if (sort === 'name') return placeOf(list.byName, ({ name }) => name > last);
  const [time = '', name = ''] = last.split('~', 2);
  const before = { usedAt: Number(time), name };
  return placeOf(list.byTime, (tag) => byLastUse(tag, before) > 0);
}
