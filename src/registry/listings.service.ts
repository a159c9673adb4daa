import { Injectable } from '@nestjs/common';
import type { Digest } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import { UpstreamClient, type ListPage } from '../upstream/upstream.client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { toAnswerError } from './answer-error.js';
import { within } from './deadline.js';

/** A page of tags, and the query of the next page when there is one. */
export interface TagPage {
  readonly tags: readonly string[];
  readonly next: URLSearchParams | undefined;
}

export interface ReferrersPage {
  /** The index as the upstream sent it. */
  readonly body: Buffer;
  readonly next: URLSearchParams | undefined;
  /** What the upstream filtered by, as in OCI-Filters-Applied. */
  readonly filters: string | undefined;
}

/** Lists that only the upstream can give: tags (end-8) and referrers (end-12). */
@Injectable()
export class ListingsService {
  constructor(private readonly upstream: UpstreamClient) {}

  /** @param query `n` and `last`. @throws OciError */
  tags(repository: RepositoryRef, query: URLSearchParams): Promise<TagPage> {
    return this.answering(async () => {
      const page = await this.upstream.listTags(repository, query);
      return { tags: readTags(page), next: nextQuery(page, ['n', 'last']) };
    }, 'NAME_UNKNOWN');
  }

  /** @param query `artifactType`. @throws OciError; MANIFEST_UNKNOWN where the upstream has no referrers, so that clients look for the tag. */
  referrers(repository: RepositoryRef, digest: Digest, query: URLSearchParams): Promise<ReferrersPage> {
    return this.answering(async () => {
      const page = await this.upstream.listReferrers(repository, digest, query);
      if (!Array.isArray(parse(page)?.manifests))
        throw new UpstreamError('wrong', 'the upstream sent no index of referrers');
      return { body: page.body, next: nextQuery(page), filters: page.filters };
    }, 'MANIFEST_UNKNOWN');
  }

  private async answering<T>(ask: () => Promise<T>, missing: 'NAME_UNKNOWN' | 'MANIFEST_UNKNOWN'): Promise<T> {
    try {
      return await within(ask());
    } catch (error) {
      throw toAnswerError(error, missing);
    }
  }
}

function parse({ body }: ListPage): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Some registries send null for no tags. */
function readTags(page: ListPage): string[] {
  const tags = parse(page)?.tags;
  if (tags === null) return [];
  if (Array.isArray(tags) && tags.every((tag): tag is string => typeof tag === 'string')) return tags;
  throw new UpstreamError('wrong', 'the upstream sent no list of tags');
}

/** Only the query of the upstream's link counts: its path and host are the upstream's, ours are the client's. */
function nextQuery({ next }: ListPage, names?: readonly string[]): URLSearchParams | undefined {
  if (next === undefined || !URL.canParse(next, 'http://upstream')) return undefined;
  const query = new URL(next, 'http://upstream').searchParams;
  return names ? new URLSearchParams([...query].filter(([name]) => names.includes(name))) : query;
}
