import type { CachedRepository, RepositorySource } from './cached.repositories.js';
import type { RepositoriesView, RepositoryView } from './status.view.js';

/** Repositories that the page shows; the others are counted. */
const longest = 50;
/** Milliseconds that a listing is good for, so that readers of the page cannot keep the storage busy. */
const lifetime = 300_000;

/** The repositories that were used last, listed in the background while somebody looks at the page. */
export class RepositoryListing {
  private last: RepositoriesView | undefined;
  private running: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly source: RepositorySource,
    /** Whether repositories of a namespace take a password, whatever is recorded of them. */
    private readonly takesPassword: (namespace: string) => boolean,
    private readonly now: () => number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The last listing, undefined before the first; an old one is replaced for the next reader. */
  get view(): RepositoriesView | undefined {
    const isOld = this.last === undefined || this.now() - this.last.countedAt >= lifetime;
    if (isOld && !this.isClosed) this.running ??= this.list();
    return this.last;
  }

  /** Resolves when nothing is listed any more. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.running ?? Promise.resolve();
  }

  private async list(): Promise<void> {
    try {
      let shown: RepositoryView[] = [];
      let publicCount = 0;
      let hidden = 0;
      for await (const repository of this.source.repositories()) {
        if (this.isClosed) return;
        if (repository.isPrivate || this.takesPassword(repository.namespace)) {
          hidden += 1;
          continue;
        }
        publicCount += 1;
        shown.push(viewOf(repository));
        if (shown.length >= 2 * longest) shown = lastUsed(shown);
      }
      shown = lastUsed(shown);
      this.last = { countedAt: this.now(), shown, more: publicCount - shown.length, hidden };
    } catch (error) {
      this.onError(error);
    } finally {
      this.running = undefined;
    }
  }
}

function lastUsed(repositories: readonly RepositoryView[]): RepositoryView[] {
  return repositories.toSorted((one, other) => other.usedAt - one.usedAt).slice(0, longest);
}

function viewOf({ namespace, name, bytes, manifests, usedAt }: CachedRepository): RepositoryView {
  return { name: `${namespace}/${name}`, bytes, manifests, usedAt: usedAt.getTime() };
}
