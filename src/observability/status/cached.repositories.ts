/** A repository with stored content. */
export interface CachedRepository {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: number;
  /** Bytes. */
  readonly bytes: number;
  readonly usedAt: Date;
  /** Whether any of its content was pulled with credentials. */
  readonly isPrivate: boolean;
}

export interface RepositorySource {
  /** Walks through the storage. To stop the walk, stop iterating. */
  repositories(): AsyncIterable<CachedRepository>;
}

/** Lists stored repositories. Optional: the page leaves the section out without it. */
export abstract class CachedRepositories implements RepositorySource {
  abstract repositories(): AsyncIterable<CachedRepository>;
}
