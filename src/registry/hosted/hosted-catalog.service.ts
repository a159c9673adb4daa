import { Injectable } from '@nestjs/common';
import { performance } from 'node:perf_hooks';
import { OciError } from '../../oci/error.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import type { TagPage } from '../list-page.js';
import { toResponseError } from '../response-error.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { paged, pageOf } from './hosted-lists.service.js';

/** Names that are read at once, and how often at least, to find those that a reader may see. */
const readSize = 1_000;
const leastReads = 100;
/** Milliseconds after which no more are read. */
const longestLook = 2_000;

/** Names that a reader may see. */
interface Visible {
  readonly names: string[];
  /** Whether there may be more, further on than was read. */
  readonly isCut: boolean;
}

/** The repositories of hosted namespaces. */
@Injectable()
export class HostedCatalogService {
  constructor(
    private readonly catalog: CatalogStore,
    private readonly namespaces: HostedNamespaces,
  ) {}

  /**
   * @param namespace undefined: all of them, and names that begin with theirs.
   * @param isVisible whether the reader may know of a repository.
   * @param others names of other repositories in the order of their bytes. @throws OciError
   */
  async list(
    n: number | undefined,
    last: string | undefined,
    namespace: Namespace | undefined,
    isVisible?: (repository: RepositoryRef) => boolean,
    others: (after: string, most: number) => Promise<string[]> = () => Promise.resolve([]),
  ): Promise<TagPage> {
    const limit = pageOf(new URLSearchParams(n === undefined ? {} : { n: String(n) }));
    const read = (after: string | undefined, most: number) =>
      namespace ? this.catalog.list(namespace, after, most) : this.merge(after ?? '', most, others);
    const isShown = (name: string) =>
      isVisible?.(namespace ? RepositoryRef.of(namespace, name) : RepositoryRef.parse(name)) !== false;
    try {
      const { names, isCut } = isVisible
        ? await readVisible(read, isShown, last, limit)
        : { names: await read(last, limit), isCut: false };
      if (isCut && names.length === 0) throw tooFewVisible();
      // Only a name that the reader knows may be in the link.
      const { page, next } = isCut ? { page: names, next: names.at(-1) } : paged(names, limit);
      const query = new URLSearchParams({ ...(n !== undefined && { n: String(n) }), last: next ?? '' });
      const body = Buffer.from(JSON.stringify({ repositories: page }));
      return { body, next: next === undefined ? undefined : query, cache: 'HIT', age: 0 };
    } catch (error) {
      throw toResponseError(error, 'NAME_UNKNOWN');
    }
  }

  private async merge(
    after: string,
    most: number,
    others: (after: string, most: number) => Promise<string[]>,
  ): Promise<string[]> {
    const [own, more] = await Promise.all([this.listAll(after, most), others(after, most)]);
    return [...new Set([...own, ...more])].sort().slice(0, most);
  }

  private async listAll(last: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    for (const name of this.namespaces.names.map((each) => `${each}/`).sort()) {
      if (found.length === limit) break;
      // A name of another namespace is before or behind all of this one's.
      const isInside = last.startsWith(name);
      if (!isInside && last > name) continue;
      const after = isInside ? last.slice(name.length) : undefined;
      const names = await this.catalog.list(Namespace.parse(name.slice(0, -1)), after, limit - found.length);
      found.push(...names.map((each) => name + each));
    }
    return found;
  }
}

/** Names that one reader may see can be few among many: they are read a thousand at a time, up to a bound. */
async function readVisible(
  read: (after: string | undefined, most: number) => Promise<string[]>,
  isShown: (name: string) => boolean,
  last: string | undefined,
  limit: number,
): Promise<Visible> {
  const found: string[] = [];
  const end = performance.now() + longestLook;
  let after = last;
  for (let count = 0; found.length < limit; count += 1) {
    if (count >= leastReads && performance.now() > end) return { names: found, isCut: true };
    const names = await read(after, readSize);
    found.push(...names.filter(isShown).slice(0, limit - found.length));
    if (names.length < readSize) break;
    after = names.at(-1);
  }
  return { names: found, isCut: false };
}

function tooFewVisible(): OciError {
  const reason = 'none of the repositories that were looked at is for you to see: begin further on, with last=<text>';
  return new OciError('UNAVAILABLE', reason);
}
