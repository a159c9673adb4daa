import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { Clock } from '../../config/clock/clock.js';
import type { HeldBody } from '../transport/body.js';
import { LongBody } from '../transport/long.body.js';
import { takeTags, tagsDocument, type TagPart } from './tag.array.js';
import type { ListPage } from './list.page.js';
import { UpstreamError } from '../upstream-error.js';
import type { Upstream } from '../upstream.js';

/** Tags that every registry should give at once (distribution specification, end-8b). */
const smallPage = 100;
/** Pages that are put together for one of a client: the largest that clients may ask for has 1000 tags. */
const maxPages = 10;
/** Milliseconds for which it is remembered that a registry refuses larger pages. */
const knownTime = 3_600_000;
const maxKnown = 1_000;
/** What registries respond to an `n` that they consider too large: Quay 413, ECR 405, others 400. */
const refusals: ReadonlySet<number | undefined> = new Set([400, 405, 413, 422]);

/** Requests one page of a list. @throws UpstreamError */
type Ask = (query: URLSearchParams) => Promise<ListPage>;

/** The query for a smaller page of a list, when the status may mean that `n` was too large. */
export function smallerPage(query: URLSearchParams, status: number | undefined): URLSearchParams | undefined {
  return refusals.has(status) && countOf(query) > smallPage ? withCount(query, smallPage) : undefined;
}

/**
 * Pages of tags with as many as the client asks for. From registries that refuse large pages it has several small ones,
 * and it cuts what registries send beyond `n`.
 */
export class TagPages {
  /** Until when registries are known to refuse large pages. */
  private readonly limited = new LRUCache<string, number>(atMost(maxKnown));

  constructor(private readonly clock: Clock) {}

  /** @param query of the client. @throws UpstreamError */
  async list(upstream: Upstream, query: URLSearchParams, ask: Ask): Promise<ListPage> {
    if (countOf(query) > smallPage && this.isLimited(upstream)) return this.listSmall(query, ask);
    try {
      return cut(query, await ask(query));
    } catch (error) {
      if (!(error instanceof UpstreamError) || !smallerPage(query, error.source?.status)) throw error;
    }
    const page = await this.listSmall(query, ask);
    this.limited.set(upstream.id, this.clock.monotonic() + knownTime);
    return page;
  }

  private async listSmall(query: URLSearchParams, ask: Ask): Promise<ListPage> {
    const first = await ask(withCount(query, smallPage));
    if (!isShort(first)) return first;
    try {
      return await fill(query, first, ask);
    } catch (error) {
      first.content.hold.release();
      throw error;
    }
  }

  private isLimited({ id }: Upstream): boolean {
    return this.clock.monotonic() < (this.limited.get(id) ?? -Infinity);
  }
}

/** A page whose content is in memory. Longer ones are passed on as they are. */
interface ShortPage extends ListPage {
  readonly content: HeldBody;
}

function isShort(page: ListPage): page is ShortPage {
  return !(page.content instanceof LongBody);
}

/**
 * A page of at most `n` tags. One of a registry that pages by tokens stays as it is: only its own link leads on from there.
 */
function cut(query: URLSearchParams, page: ListPage): ListPage {
  const wanted = countOf(query);
  if (!isShort(page) || wanted === 0 || hasToken(query) || hasToken(queryOf(page.next))) return page;
  const part = takeTags(page.content.content, wanted, query.get('last'));
  if (!part || part.isWhole) return page;
  return withTags(page, [part], part.isCut ? linkAfter(query, part) : page.next);
}

/** Adds further pages until there are `n` tags. What is there is a page, too, when another cannot be had. */
async function fill(query: URLSearchParams, first: ShortPage, ask: Ask): Promise<ListPage> {
  const wanted = countOf(query);
  const parts: TagPart[] = [];
  let [asked, count] = [query, 0];
  let next: string | undefined;
  for (let page: ShortPage | undefined = first; page; page = await findShort(ask(asked))) {
    const isWhole = hasToken(asked) || hasToken(queryOf(page.next));
    const part = takeTags(page.content.content, isWhole ? Infinity : wanted - count, asked.get('last'));
    if (page !== first) page.content.hold.release();
    if (!part) break;
    parts.push(part);
    count += part.count;
    next = part.isCut ? linkAfter(asked, part) : page.next;
    const following = part.isCut || count >= wanted || parts.length >= maxPages ? undefined : queryOf(next);
    if (!following) break;
    asked = withCount(following, Math.min(smallPage, wanted - count));
  }
  if (parts.length === 0) return first;
  const rest = queryOf(next);
  return withTags(first, parts, rest && `?${withCount(rest, wanted).toString()}`);
}

/** Undefined when the page cannot be had, or not in memory. */
async function findShort(asking: Promise<ListPage>): Promise<ShortPage | undefined> {
  try {
    const page = await asking;
    if (isShort(page)) return page;
    if (page.content instanceof LongBody) page.content.close();
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
  }
  return undefined;
}

function withTags({ content: { hold } }: ShortPage, parts: readonly TagPart[], next: string | undefined): ShortPage {
  return { content: { content: tagsDocument(parts), hold }, next };
}

/** 0 when the query has no `n`. */
function countOf(query: URLSearchParams): number {
  return Number(query.get('n') ?? 0);
}

/** Whether a query has parameters of the registry's own. */
function hasToken(query: URLSearchParams | undefined): boolean {
  return query !== undefined && [...query.keys()].some((name) => name !== 'n' && name !== 'last');
}

function withCount(query: URLSearchParams, count: number): URLSearchParams {
  const changed = new URLSearchParams(query);
  changed.set('n', String(count));
  return changed;
}

function linkAfter(query: URLSearchParams, { final = '' }: TagPart): string {
  const changed = new URLSearchParams(query);
  changed.set('last', final);
  return `?${changed.toString()}`;
}

function queryOf(link: string | undefined): URLSearchParams | undefined {
  return link !== undefined && URL.canParse(link, 'http://upstream')
    ? new URL(link, 'http://upstream').searchParams
    : undefined;
}
