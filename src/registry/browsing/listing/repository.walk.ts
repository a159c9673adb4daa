import { RepositoryRef } from '../../../oci/repository.js';
import type { StoredRecord } from '../../../storage/stores/stored.objects.js';

/** A repository that something is stored of. */
export interface StoredRepository {
  /** Namespace and name, canonical. */
  readonly repository: string;
  readonly tags: number;
  readonly manifests: number;
  /** When something of it was last pulled or pushed, to within an hour, in milliseconds since 1970. */
  readonly usedAt: number;
}

interface Open {
  readonly repository: string;
  tags: number;
  manifests: number;
  usedAt: number;
}

/** Every repository once, from a list of records in which the contents of a folder are contiguous. Reads no record. */
export async function* repositoriesOf(records: AsyncIterable<StoredRecord>): AsyncGenerator<StoredRepository> {
  // Names nest, so the repositories that enclose the current one are not complete yet.
  const open: Open[] = [];
  for await (const { namespace, name, kind, usedAt } of records) {
    const repository = `${namespace}/${name}`;
    for (let last = open.at(-1); last && !`${repository}/`.startsWith(`${last.repository}/`); last = open.at(-1)) {
      open.pop();
      yield* known(last);
    }
    let current = open.at(-1);
    if (current?.repository !== repository) open.push((current = { repository, tags: 0, manifests: 0, usedAt: 0 }));
    if (kind === 'tag') current.tags += 1;
    if (kind === 'manifest') current.manifests += 1;
    current.usedAt = Math.max(current.usedAt, usedAt.getTime());
  }
  for (const last of open.reverse()) yield* known(last);
}

/** Nothing for what has no manifest and no tag, and what no request can name. */
function* known(found: Open): Generator<StoredRepository> {
  if (found.tags + found.manifests === 0) return;
  try {
    if (RepositoryRef.parse(found.repository).toString() === found.repository) yield found;
  } catch {
    // A namespace that is too long for a key, or a foreign folder.
  }
}
