import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import type { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys, parseCatalogKey } from '../../keys.js';
import { parseOrderedName, placeAmongNames } from '../../key-components.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { orAbsent } from '../../storage-error.js';
import type { StorageProvider } from '../../storage.provider.js';
import type { HotCache } from '../hot.cache.js';
import { RecordStore, type RecordFields } from '../record.store.js';

/** Repositories remembered as being in the catalog. */
const maxKnown = 10_000;

/** The repositories that something was pushed to. */
export class CatalogStore {
  private readonly records: RecordStore;
  private readonly known = new LRUCache<string, true>(atMost(maxKnown));
  private readonly pushedOnly = new LRUCache<string, true>(atMost(maxKnown));

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, undefined, undefined, space, true);
  }

  /** Records that the repository exists; to be called before anything else of it is recorded. */
  async add(repository: RepositoryRef): Promise<void> {
    const key = keys.cataloged(repository);
    if (this.known.has(key)) return;
    if (!(await orAbsent(this.provider.stat(key)))) {
      const { namespace, name } = repository;
      // Tags that are older than the first push are of the time when the namespace was mirrored.
      const [older] = await this.provider.listNames(keys.hostedTags(repository), undefined, 1);
      const mark = older !== undefined && { wasMirrored: true };
      await this.records.put(key, { namespace: namespace.toString(), name, ...mark });
    }
    this.known.set(key, true);
  }

  /** Whether all tags of the repository were pushed; otherwise some may be of the time when it was mirrored. */
  async isPushedOnly(repository: RepositoryRef): Promise<boolean> {
    const key = keys.cataloged(repository);
    if (this.pushedOnly.has(key)) return true;
    const record = await this.records.find(key, readEntry);
    if (record === undefined || record.wasMirrored) return false;
    this.pushedOnly.set(key, true);
    return true;
  }

  async has(repository: RepositoryRef): Promise<boolean> {
    const key = keys.cataloged(repository);
    return this.known.has(key) || (await orAbsent(this.provider.stat(key))) !== undefined;
  }

  /** Names in the order of their bytes. @param after only those behind this text */
  async list(namespace: Namespace, after: string | undefined, limit: number): Promise<string[]> {
    const folder = keys.catalog(namespace);
    const last = after === undefined ? '' : placeOf(namespace, after);
    const names = await this.provider.listNames(folder, last === '' ? undefined : last, limit);
    const read = names.map(async (name) => {
      return parseOrderedName(name) ?? (await this.records.find(`${folder}/${name}`, readEntry))?.name;
    });
    return (await Promise.all(read)).flatMap((name) => name ?? []);
  }

  /** The namespaces, as in `StoredRecord`, that have repositories, whatever the configuration says. */
  async namespaces(): Promise<Set<string>> {
    const found = new Set<string>();
    for await (const { key } of this.provider.list('catalog')) {
      const namespace = parseCatalogKey(key);
      if (namespace !== undefined) found.add(namespace);
    }
    return found;
  }
}

/** A namespace as records name it. */
export function storedNamespace(namespace: Namespace): string {
  return parseCatalogKey(`${keys.catalog(namespace)}/x`) ?? namespace.toString();
}

function placeOf(namespace: Namespace, name: string): string {
  try {
    return keys.cataloged(RepositoryRef.of(namespace, name)).slice(keys.catalog(namespace).length + 1);
  } catch {
    return placeAmongNames(name);
  }
}

/** One form for all readers: the memory keeps one of each record. */
function readEntry(fields: RecordFields): { readonly name: string; readonly wasMirrored: boolean } | undefined {
  const { name, wasMirrored } = fields;
  return typeof name === 'string' ? { name, wasMirrored: wasMirrored === true } : undefined;
}
