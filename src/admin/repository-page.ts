import { OciError } from '../oci/error.js';
import type { RepositoryUsage } from '../registry/eviction/usage.service.js';

/** Largest page that a request may ask for. */
const maxPage = 1000;

export interface PageQuery {
  /** Entries; undefined if the request asks for no page. */
  readonly n: number | undefined;
  /** Name after which the page starts; empty for the first. */
  readonly last: string;
}

/** @throws OciError REQUEST_INVALID; more than 1000 counts as 1000, as in the distribution specification's lists. */
export function readPageQuery(query: unknown): PageQuery {
  const { n, last = '' } = query as Record<string, unknown>;
  const isNumber = n === undefined || (typeof n === 'string' && /^[1-9]\d{0,14}$/.test(n));
  if (!isNumber) throw new OciError('REQUEST_INVALID', 'n must be a whole number above 0');
  if (typeof last !== 'string') throw new OciError('REQUEST_INVALID', 'last must be the name of a repository');
  return { n: n === undefined ? undefined : Math.min(Number(n), maxPage), last };
}

/**
 * The first `n` after `last`, sorted by name. Each page walks through the storage once and holds no more than two pages
 * of entries.
 */
export async function pageOf(
  all: AsyncIterable<RepositoryUsage>,
  n: number,
  last: string,
): Promise<{ readonly repositories: RepositoryUsage[]; readonly next: string | undefined }> {
  let page: RepositoryUsage[] = [];
  let count = 0;
  const cut = () => {
    page.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    page = page.slice(0, n);
  };
  for await (const repository of all) {
    if (nameOf(repository) <= last) continue;
    page.push(repository);
    count += 1;
    if (page.length >= 2 * n) cut();
  }
  cut();
  const end = page.at(-1);
  const next = count > n && end ? new URLSearchParams({ n: String(n), last: nameOf(end) }).toString() : undefined;
  return { repositories: page, next };
}

function nameOf({ namespace, name }: RepositoryUsage): string {
  return `${namespace}/${name}`;
}
