import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { manifestMediaTypes } from '../../oci/media-type.js';
import { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { ReferrerStore } from '../../storage/stores/hosted/referrer.store.js';
import type { ReferrersPage, TagPage } from '../list-page.js';
import { toResponseError } from '../response-error.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';

/** Most entries of a page. One list request of S3 has as many names. */
export const maxPage = 1_000;
/** Bytes of descriptors from which on a page of referrers ends: clients read indexes of up to 4 MiB. */
const pageBytes = 2 * 1024 * 1024;
/** Referrers read for one page, whatever the filter leaves of them. */
const maxRead = 5_000;
/** Referrers read together. */
const batch = 100;

/** Tags (end-8) and referrers (end-12) of hosted repositories. */
@Injectable()
export class HostedListsService {
  constructor(
    private readonly store: HostedStore,
    private readonly catalog: CatalogStore,
    private readonly referrerStore: ReferrerStore,
    private readonly traffic: TrafficCounts,
  ) {}

  /** @throws OciError NAME_UNKNOWN for a repository that nothing was pushed to */
  async tags(repository: RepositoryRef, query: URLSearchParams, name: string): Promise<TagPage> {
    const limit = pageOf(query);
    const tags = await this.responding(repository, this.listTags(repository, query.get('last') ?? '', limit));
    if (!tags) throw new OciError('NAME_UNKNOWN');
    const { page, next } = paged(tags, limit);
    const body = Buffer.from(JSON.stringify({ name, tags: page }));
    return { body, next: nextQuery(next, query), cache: 'HIT', age: 0 };
  }

  /** Every digest has a list of referrers, of what was never pushed as well. @throws OciError */
  async referrers(repository: RepositoryRef, subject: Digest, query: URLSearchParams): Promise<ReferrersPage> {
    const asked = query.get('artifactType') ?? '';
    const artifactType = asked === '' ? undefined : asked;
    const after = Digest.find(query.get('last') ?? '');
    const page = await this.responding(repository, this.readReferrers(repository, subject, after, query, artifactType));
    const head = `{"schemaVersion":2,"mediaType":"${manifestMediaTypes.ociIndex}","manifests":[`;
    const body = Buffer.from(`${head}${page.descriptors.join(',')}]}`);
    const filters = artifactType === undefined ? undefined : 'artifactType';
    return { body, next: nextQuery(page.last?.toString(), query), filters, cache: 'HIT', age: 0 };
  }

  /** Undefined when the repository does not exist. */
  private async listTags(repository: RepositoryRef, last: string, limit: number): Promise<string[] | undefined> {
    const found: string[] = [];
    // A text that is no tag stands behind the tag that it begins with.
    const start = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}/.exec(last)?.[0];
    let after = start === undefined ? undefined : Tag.parse(start);
    const isPushedOnly = await this.catalog.isPushedOnly(repository);
    while (found.length < limit) {
      const wanted = isPushedOnly ? limit - found.length : maxPage;
      const tags = await this.store.listTags(repository, after, wanted);
      const pushed = isPushedOnly ? tags : await this.pushedOf(repository, tags);
      found.push(...pushed.flatMap(({ name }) => (name > last ? name : [])).slice(0, limit - found.length));
      after = tags.at(-1);
      if (tags.length < wanted) break;
    }
    if (found.length === 0 && !(await this.catalog.has(repository))) return undefined;
    return found;
  }

  /** Names of tags that were cached while the namespace was mirrored are left out: whoever may pull here may not have known them. */
  private async pushedOf(repository: RepositoryRef, tags: readonly Tag[]): Promise<Tag[]> {
    const pushed: Tag[] = [];
    for (let done = 0; done < tags.length; done += batch) {
      const found = tags
        .slice(done, done + batch)
        .map(async (tag) => (await this.store.findTag(repository, tag)) && tag);
      pushed.push(...(await Promise.all(found)).flatMap((tag) => tag ?? []));
    }
    return pushed;
  }

  private async readReferrers(
    repository: RepositoryRef,
    subject: Digest,
    after: Digest | undefined,
    query: URLSearchParams,
    artifactType: string | undefined,
  ): Promise<{ descriptors: string[]; last: Digest | undefined }> {
    const n = Number(query.get('n') ?? maxPage);
    const limit = n >= 1 ? Math.min(n, maxPage) : maxPage;
    const descriptors: string[] = [];
    let bytes = 0;
    let last = after;
    for (let read = 0; read < maxRead; read += batch) {
      const digests = await this.referrerStore.list(repository, subject, last, batch);
      for (const referrer of await this.referrerStore.read(repository, subject, digests)) {
        if (artifactType !== undefined && referrer.artifactType !== artifactType) continue;
        const { mediaType, digest, size, artifactType: type, annotations } = referrer;
        const text = JSON.stringify({ mediaType, digest, size, artifactType: type, annotations });
        if (descriptors.length === limit || (bytes > 0 && bytes + text.length > pageBytes))
          return { descriptors, last };
        descriptors.push(text);
        bytes += text.length;
        last = digest;
      }
      last = digests.at(-1);
      if (digests.length < batch) return { descriptors, last: undefined };
    }
    return { descriptors, last };
  }

  private async responding<T>(repository: RepositoryRef, response: Promise<T>): Promise<T> {
    try {
      const result = await response;
      this.traffic.of(repository.namespace.toString()).lists.HIT += 1;
      return result;
    } catch (error) {
      throw toResponseError(error, 'NAME_UNKNOWN');
    }
  }
}

/** Entries to look for: one more than the page has, to know whether there is another, and at most one page of S3. */
export function pageOf(query: URLSearchParams): number {
  const n = query.get('n');
  if (n === null || !/^\d{1,15}$/.test(n)) return maxPage;
  return n === '0' ? 0 : Math.min(Number(n) + 1, maxPage);
}

/** @param found up to `limit` entries; the last of them only tells that there is another page. */
export function paged(found: readonly string[], limit: number): { page: readonly string[]; next: string | undefined } {
  if (found.length < limit || limit === 0) return { page: found, next: undefined };
  const page = found.slice(0, -1);
  return { page, next: page.at(-1) };
}

function nextQuery(last: string | undefined, query: URLSearchParams): URLSearchParams | undefined {
  if (last === undefined) return undefined;
  const next = new URLSearchParams(query);
  next.set('last', last);
  return next;
}
