/** A repository of which something is stored. */
export interface CachedRepository {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: number;
  /** Bytes. */
  readonly bytes: number;
  readonly usedAt: Date;
  /** Whether anything of it was got with credentials. */
  readonly isPrivate: boolean;
}

/** The walk through them. */
export interface RepositorySource {
  /** Takes as long as there are many. Whoever stops iterating stops the walk. */
  repositories(): AsyncIterable<CachedRepository>;
}

/** Who can tell which repositories are stored. Optional: without one the page has no such section. */
export abstract class CachedRepositories implements RepositorySource {
  abstract repositories(): AsyncIterable<CachedRepository>;
}
