import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { RepositoryRef } from '../../oci/repository.js';
import { parseOrderedReference, placeAmongReferences } from '../key-components.js';
import { keys } from '../keys.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';
import type { HotCache } from './hot.cache.js';

/** Repositories remembered as being recorded, and for how many milliseconds: a sweep may have removed them. */
const known = { ...atMost(10_000), ttl: 3_600_000 };

/** The mirrored repositories that something is stored of: one folder, in the order of their whole names. */
export class MirroredCatalogStore {
  private readonly known = new LRUCache<string, true>(known);

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    private readonly space?: SpaceLedger,
  ) {}

  /** Names that are too long for a key, or have characters that none may have, are left out. @throws StorageError */
  async add(repository: RepositoryRef): Promise<void> {
    const key = keys.mirrored(repository.toString());
    if (key === undefined || this.known.has(key) || this.space?.isFull === true) return;
    await this.provider.write(key, Buffer.from('{"version":1}'), { isDurable: false });
    this.space?.add(1, 0);
    this.known.set(key, true);
  }

  /** Names in the order of their bytes. @param after only those behind this text */
  async list(after: string | undefined, limit: number): Promise<string[]> {
    const last = placeAmongReferences(after ?? '');
    const names = await this.provider.listNames(keys.mirroredFolder, last === '' ? undefined : last, limit);
    return names.flatMap((name) => parseOrderedReference(name) ?? []);
  }
}
