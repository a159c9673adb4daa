import { Injectable } from '@nestjs/common';
import { Namespace } from '../../oci/namespace.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import type { TagPage } from '../list-page.js';
import { toResponseError } from '../response-error.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { paged, pageOf } from './hosted-lists.service.js';

/** The repositories of hosted namespaces. */
@Injectable()
export class HostedCatalogService {
  constructor(
    private readonly catalog: CatalogStore,
    private readonly namespaces: HostedNamespaces,
  ) {}

  /** @param namespace undefined: all of them, and names that begin with theirs. @throws OciError */
  async list(n: number | undefined, last: string | undefined, namespace: Namespace | undefined): Promise<TagPage> {
    const limit = pageOf(new URLSearchParams(n === undefined ? {} : { n: String(n) }));
    try {
      const names = namespace ? await this.catalog.list(namespace, last, limit) : await this.listAll(last ?? '', limit);
      const { page, next } = paged(names, limit);
      const query = new URLSearchParams({ ...(n !== undefined && { n: String(n) }), last: next ?? '' });
      const body = Buffer.from(JSON.stringify({ repositories: page }));
      return { body, next: next === undefined ? undefined : query, cache: 'HIT', age: 0 };
    } catch (error) {
      throw toResponseError(error, 'NAME_UNKNOWN');
    }
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
