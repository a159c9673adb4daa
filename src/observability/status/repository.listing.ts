import type { CachedRepository, RepositorySource } from './cached.repositories.js';
import type { RepositoriesView, RepositoryView } from './status.view.js';

/** Most repositories on the page; the others are only counted. */
const longest = 50;
/** Repositories that are remembered for readers who see only some of them. */
const mostRemembered = 2_000;
/** Milliseconds for which a listing is reused, so that readers of the page cannot load the storage. */
const lifetime = 300_000;

/** The most recently used repositories, listed in the background while somebody views the page. */
export class RepositoryListing {
  private last: RepositoriesView | undefined;
  /** The most recently used ones, private ones too. */
  private remembered: readonly CachedRepository[] = [];
  private running: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly source: RepositorySource,
    /** Whether a namespace has credentials, whatever the records of its repositories say. */
    private readonly hasCredentials: (namespace: string) => boolean,
    private readonly now: () => number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The last listing, undefined before the first; an old one is refreshed for the next reader. */
  get view(): RepositoriesView | undefined {
    const isOld = this.last === undefined || this.now() - this.last.countedAt >= lifetime;
    if (isOld && !this.isClosed) this.running ??= this.list();
    return this.last;
  }

  /** As `view`, with what a reader may see, private or not. */
  viewFor(maySee: (repository: CachedRepository) => boolean): RepositoriesView | undefined {
    const all = this.view;
    if (!all) return undefined;
    const visible = this.remembered.filter(maySee);
    const shown = visible.slice(0, longest).map(viewOf);
    return { countedAt: all.countedAt, shown, more: visible.length - shown.length, hidden: undefined };
  }

  /** Resolves when no listing is running. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.running ?? Promise.resolve();
  }

  private async list(): Promise<void> {
    try {
      let shown: RepositoryView[] = [];
      let recent: CachedRepository[] = [];
      let publicCount = 0;
      let hidden = 0;
      for await (const repository of this.source.repositories()) {
        if (this.isClosed) return;
        recent.push(repository);
        if (recent.length >= 2 * mostRemembered) recent = lastUsed(recent, mostRemembered);
        if (repository.isPrivate || this.hasCredentials(repository.namespace)) {
          hidden += 1;
          continue;
        }
        publicCount += 1;
        shown.push(viewOf(repository));
        if (shown.length >= 2 * longest) shown = lastUsed(shown, longest);
      }
      shown = lastUsed(shown, longest);
      this.remembered = lastUsed(recent, mostRemembered);
      this.last = { countedAt: this.now(), shown, more: publicCount - shown.length, hidden };
    } catch (error) {
      this.onError(error);
    } finally {
      this.running = undefined;
    }
  }
}

function lastUsed<T extends { readonly usedAt: number | Date }>(repositories: readonly T[], most: number): T[] {
  return repositories.toSorted((one, other) => Number(other.usedAt) - Number(one.usedAt)).slice(0, most);
}

function viewOf({ namespace, name, bytes, manifests, usedAt }: CachedRepository): RepositoryView {
  return { name: `${namespace}/${name}`, bytes, manifests, usedAt: usedAt.getTime() };
}
