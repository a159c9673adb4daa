import { nameComponent, Namespace } from './namespace.js';
import { OciError } from './error.js';

/** Longest repository name in characters, excluding the namespace. */
export const maxNameLength = 255;

/** A repository: a registry's canonical host and a name within that registry. */
export class RepositoryRef {
  private constructor(
    readonly namespace: Namespace,
    readonly name: string,
  ) {}

  /**
   * Adds `library/` to the names of Docker Hub's official images.
   * @throws OciError NAME_INVALID when the name violates the grammar of the distribution specification ("Pulling
   * manifests") or is longer than 255 characters.
   */
  static of(namespace: Namespace, name: string): RepositoryRef {
    const full = namespace.isDockerHub && !name.includes('/') ? `library/${name}` : name;
    // Checking the length first bounds the cost of the pattern.
    if (full.length > maxNameLength || !full.split('/').every((part) => nameComponent.test(part))) {
      throw new OciError('NAME_INVALID');
    }
    return new RepositoryRef(namespace, full);
  }

  /** @param folded `<namespace>/<name>`. @throws OciError NAME_INVALID */
  static parse(folded: string): RepositoryRef {
    const slash = folded.indexOf('/');
    return RepositoryRef.of(Namespace.parse(folded.slice(0, slash)), folded.slice(slash + 1));
  }

  equals(other: RepositoryRef): boolean {
    return this.name === other.name && this.namespace.equals(other.namespace);
  }

  toString(): string {
    return `${this.namespace.toString()}/${this.name}`;
  }
}
