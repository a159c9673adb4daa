import type { Digest } from '../../oci/digest.js';
import { HotCache } from './hot.cache.js';
import { contentFolders, keys, parseContentKey, parseRecordKey, type RecordKey } from '../keys.js';
import { permissionOf, RecordStore, sizeOf, type RecordFields } from './record.store.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent } from '../storage-error.js';
import type { ObjectEntry, StorageProvider } from '../storage.provider.js';

/** A record as a list tells of it. */
export type StoredRecord = RecordKey & ObjectEntry;

/** Content as a list tells of it. */
export interface StoredContent extends ObjectEntry {
  readonly digest: Digest;
}

/** Everything that is stored, one by one: for those who tidy up, count and check. What is not ours is never given. */
export class StoredObjects {
  private readonly states: RecordStore;

  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly space = new SpaceLedger(),
  ) {
    this.states = new RecordStore(provider);
  }

  async *records(): AsyncGenerator<StoredRecord> {
    for await (const entry of this.provider.list('repositories')) {
      const about = parseRecordKey(entry.key);
      if (about) yield { ...entry, ...about };
    }
  }

  /** @param folders where to look, in this order; all when not given. */
  async *contents(folders: readonly string[] = ['blobs']): AsyncGenerator<StoredContent> {
    for (const folder of folders) {
      for await (const entry of this.provider.list(folder)) {
        const digest = parseContentKey(entry.key);
        if (digest) yield { ...entry, digest };
      }
    }
  }

  /** The folders that `contents` can begin with. */
  get folders(): string[] {
    return contentFolders();
  }

  damaged(): AsyncIterable<ObjectEntry> {
    return this.provider.list('damaged');
  }

  /** How the object is now; undefined when it is not there. */
  find(key: string): Promise<ObjectEntry | undefined> {
    return orAbsent(this.provider.stat(key));
  }

  findContent(digest: Digest): Promise<ObjectEntry | undefined> {
    return this.find(keys.content(digest));
  }

  /** What a record of a blob or a manifest says: bytes, 0 when it does not, and whether it took credentials, or may have. */
  async read({ key }: StoredRecord): Promise<{ readonly size: number; readonly isPrivate: boolean }> {
    const record = await orAbsent(this.provider.read(key, 64 * 1024));
    try {
      const fields = JSON.parse(record?.toString('utf8') ?? '{}') as RecordFields;
      return { size: sizeOf(fields) ?? 0, isPrivate: permissionOf(fields).isPrivate };
    } catch {
      return { size: 0, isPrivate: true };
    }
  }

  /** Removes an object, here and in memory. */
  async remove({ key, size }: ObjectEntry, objects = 0): Promise<void> {
    this.hot.forget(key);
    await this.provider.delete(key).finally(() => this.hot.forget(key));
    this.space.remove(size, objects);
  }

  /** Records a use, when the last recorded one is longer ago than `age` milliseconds, or in the future by as much. */
  async use(key: string, now: number, age: number): Promise<void> {
    const entry = await this.find(key);
    if (entry && Math.abs(now - entry.usedAt.getTime()) > age) await orAbsent(this.provider.touch(key));
  }

  /** @throws StorageError `newer-version` */
  state(name: 'usage' | 'scrub'): Promise<RecordFields | undefined> {
    return this.states.find(keys.state(name), (fields) => fields);
  }

  /** @throws StorageError `newer-version` when a later program has written one: it is left as it is. */
  async putState(name: 'usage' | 'scrub', fields: RecordFields): Promise<void> {
    await this.state(name);
    await this.states.put(keys.state(name), fields);
  }
}
