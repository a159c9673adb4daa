import { LRUCache } from 'lru-cache';
import { Digest } from '../../../oci/digest.js';
import { Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { StorageError } from '../../storage-error.js';
import type { ObjectEntry, StorageProvider } from '../../storage.provider.js';
import { HotCache } from '../hot.cache.js';
import { RecordStore, type RecordFields } from '../record.store.js';

/** Concurrent reads of tags. */
const concurrency = 32;
/** Bytes of records in memory. */
const memory = 16 * 1024 * 1024;
/** Estimated cost of one beside its key, in bytes. */
const recordCost = 300;
/** Milliseconds: times of objects have steps, and are of another clock, so a write soon after another may not show. */
const settled = 300_000;

interface Target {
  readonly tag: Tag;
  readonly digest: Digest;
  /** When it was last pushed, in milliseconds since 1970. */
  readonly pushedAt: number;
}

/** A tag of a hosted repository; `usedAt` is when it was last pushed or pulled. */
export interface TagLink extends Target, ObjectEntry {}

interface Remembered {
  readonly usedAt: number;
  readonly size: number;
  readonly target: Target;
}

/** Lists all tags of a hosted repository with what they name. Records are read again only when they have changed. */
export class TagLinkStore {
  private readonly records: RecordStore;
  private readonly remembered = new LRUCache<string, Remembered>({ maxSize: memory });

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, new HotCache(0), undefined, space, true);
  }

  /** All of them, in no order, or it throws. Damaged records are set aside and left out. @throws StorageError */
  async *list(repository: RepositoryRef): AsyncGenerator<TagLink> {
    const folder = keys.hostedTags(repository);
    let batch: ObjectEntry[] = [];
    for await (const entry of this.provider.list(folder)) {
      if (batch.push(entry) < concurrency) continue;
      yield* await this.read(repository, batch);
      batch = [];
    }
    yield* await this.read(repository, batch);
    if (this.provider.isIncomplete?.(folder) === true) throw new StorageError('failed', `${folder} cannot be listed`);
  }

  private async read(repository: RepositoryRef, entries: readonly ObjectEntry[]): Promise<TagLink[]> {
    const found = await Promise.all(
      entries.map(async (entry) => {
        const target = this.recall(entry) ?? (await this.readTarget(repository, entry));
        return target && { ...entry, ...target };
      }),
    );
    return found.flatMap((tag) => tag ?? []);
  }

  private recall({ key, usedAt, size }: ObjectEntry): Target | undefined {
    const known = this.remembered.get(key);
    return known?.usedAt === usedAt.getTime() && known.size === size ? known.target : undefined;
  }

  private async readTarget(repository: RepositoryRef, entry: ObjectEntry): Promise<Target | undefined> {
    const { key, size, usedAt } = entry;
    const isSettled = Date.now() - usedAt.getTime() > settled;
    const target = await this.records.find(key, (fields) => readTarget(repository, key, fields));
    const remembered = target && { usedAt: usedAt.getTime(), size, target };
    if (remembered && isSettled) this.remembered.set(key, remembered, { size: key.length + recordCost });
    return target;
  }
}

function readTarget(repository: RepositoryRef, key: string, fields: RecordFields): Target | undefined {
  const { tag, digest, pushedAt } = fields;
  const target = typeof digest === 'string' ? Digest.find(digest) : undefined;
  if (typeof tag !== 'string' || !target || typeof pushedAt !== 'number' || !Number.isFinite(pushedAt))
    return undefined;
  try {
    const name = Tag.parse(tag);
    return keys.hostedTag(repository, name) === key ? { tag: name, digest: target, pushedAt } : undefined;
  } catch {
    return undefined;
  }
}
