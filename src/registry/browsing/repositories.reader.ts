import { Injectable } from '@nestjs/common';
import { performance } from 'node:perf_hooks';
import { RepositoryRef } from '../../oci/repository.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { StoredContent } from './stored.content.js';
import type { RepositoriesPage, RepositoryRow } from './browsed.js';
import { RepositoryIndex, type RepositoryList } from './listing/repository.index.js';
import type { StoredRepository } from './listing/repository.walk.js';
import { placeOf } from './listing/sorted.js';
import { Turns, type Turn } from './listing/turns.js';
import type { Viewer } from './viewer.js';
import { VisibleRepositories } from './visible.repositories.js';

/** Milliseconds for which repositories are looked through for one page: then it ends where the look has come to. */
const longestLook = 2_000;
/** Most namespaces that are named. */
const mostNamespaces = 200;

export interface RepositoriesQuery {
  /** Text that the name has in it; empty for all. */
  readonly text: string;
  /** Only of this one; empty for all. */
  readonly namespace: string;
  /** Only those behind this name; empty for the first page. */
  readonly last: string;
  readonly limit: number;
}

/** Pages of repositories, with those alone that the viewer may know of. */
@Injectable()
export class RepositoriesReader {
  constructor(
    private readonly index: RepositoryIndex,
    private readonly visible: VisibleRepositories,
    private readonly content: StoredContent,
    private readonly catalog: CatalogStore,
    private readonly turns: Turns,
  ) {}

  /** Undefined while the repositories are being listed. @throws StorageError */
  async page(viewer: Viewer, query: RepositoriesQuery): Promise<RepositoriesPage | undefined> {
    const list = await this.index.get();
    if (!list) return undefined;
    const turn = await this.turns.begin();
    const { found, next, isCut } = await this.find(viewer, list, query, turn);
    return {
      repositories: await Promise.all(found.map((each) => this.row(each))),
      next,
      namespaces: await this.namespaces(viewer, list, turn),
      isWhole: list.isWhole && !isCut,
    };
  }

  private async row(found: StoredRepository): Promise<RepositoryRow> {
    const [{ repository, usedAt }, ref] = [found, refOf(found)];
    const isHosted = this.content.isHosted(ref);
    const isCounted = !isHosted || (await this.catalog.isPushedOnly(ref));
    return { repository, usedAt, isHosted, tags: isCounted ? found.tags : undefined };
  }

  private async find(
    viewer: Viewer,
    { repositories }: RepositoryList,
    { text, namespace, last, limit }: RepositoriesQuery,
    turn: Turn,
  ): Promise<{ found: StoredRepository[]; next: string | undefined; isCut?: boolean }> {
    const prefix = namespace === '' ? '' : `${namespace}/`;
    const found: StoredRepository[] = [];
    const until = performance.now() + longestLook;
    const start = placeOf(repositories, ({ repository }) => repository > last && repository >= prefix);
    for (let at = start; at < repositories.length; at += 1) {
      const each = repositories[at] as StoredRepository;
      if (turn.isOver) {
        await turn.pause();
        // Only a name that the viewer knows may be in a link.
        if (performance.now() > until) return { found, next: found.at(-1)?.repository, isCut: true };
      }
      if (!each.repository.startsWith(prefix)) break;
      const isFound = each.repository.includes(text) && (await this.isVisible(viewer, each));
      if (isFound && found.length === limit) return { found, next: found.at(-1)?.repository };
      if (isFound) found.push(each);
    }
    return { found, next: undefined };
  }

  /** Those with at least one repository that the viewer may know of. */
  private async namespaces(viewer: Viewer, { repositories }: RepositoryList, turn: Turn): Promise<string[]> {
    const named: string[] = [];
    const until = performance.now() + longestLook;
    for (let at = 0; at < repositories.length && named.length < mostNamespaces;) {
      const each = repositories[at] as StoredRepository;
      const namespace = each.repository.slice(0, each.repository.indexOf('/'));
      if (turn.isOver) {
        await turn.pause();
        if (performance.now() > until) break;
      }
      if (await this.isVisible(viewer, each)) {
        named.push(namespace);
        // The character behind a slash.
        at = placeOf(repositories, ({ repository }) => repository >= `${namespace}0`);
      } else at += 1;
    }
    return named;
  }

  private isVisible(viewer: Viewer, repository: StoredRepository): boolean | Promise<boolean> {
    return this.visible.has(viewer, refOf(repository));
  }
}

function refOf({ repository }: StoredRepository): RepositoryRef {
  return RepositoryRef.parse(repository);
}
