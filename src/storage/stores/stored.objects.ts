import type { Digest } from '../../oci/digest.js';
import type { Namespace } from '../../oci/namespace.js';
import { HotCache } from './hot.cache.js';
import {
  contentFolders,
  keys,
  parseContentKey,
  parseMountKey,
  parseOriginKey,
  parseRecordKey,
  type RecordKey,
} from '../keys.js';
import { parseOrderedReference } from '../key-components.js';
import { parseRecord, permissionOf, RecordStore, sizeOf, type RecordFields } from './record.store.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { ObjectEntry, StorageProvider } from '../storage.provider.js';

/** A listed record. */
export type StoredRecord = RecordKey & ObjectEntry;

/** Listed content. */
export interface StoredContent extends ObjectEntry {
  readonly digest: Digest;
}

/** Lists everything stored, for sweeps, scrubs and statistics. Foreign objects are left out. */
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

  /** The records of one namespace. @throws StorageError, at the end also when some of them could not be listed */
  async *recordsOf(namespace: Namespace): AsyncGenerator<StoredRecord> {
    const folder = keys.namespace(namespace);
    for await (const entry of this.provider.list(folder)) {
      const about = parseRecordKey(entry.key);
      if (about) yield { ...entry, ...about };
    }
    if (this.provider.isIncomplete?.(folder) === true)
      throw new StorageError('failed', `a folder below ${folder} cannot be read`);
  }

  /** Whether the latest `records` or `contents` saw everything; a folder that cannot be read may hold more. */
  isComplete(prefix: 'repositories' | 'blobs'): boolean {
    return this.provider.isIncomplete?.(prefix) !== true;
  }

  /** @param folders to list, in this order; all by default. */
  async *contents(folders: readonly string[] = ['blobs']): AsyncGenerator<StoredContent> {
    for (const folder of folders) {
      for await (const entry of this.provider.list(folder)) {
        const digest = parseContentKey(entry.key);
        if (digest) yield { ...entry, digest };
      }
    }
  }

  /** The folders that `contents` accepts. */
  get folders(): string[] {
    return contentFolders();
  }

  /** The origins of content, which may have been removed. */
  async *origins(): AsyncGenerator<StoredContent> {
    for await (const entry of this.provider.list('origins')) {
      const digest = parseOriginKey(entry.key);
      if (digest) yield { ...entry, digest };
    }
  }

  /** Records of the repositories that content can be mounted from; it may have been removed. */
  async *mountSources(): AsyncGenerator<StoredContent> {
    for await (const entry of this.provider.list('mounts')) {
      const digest = parseMountKey(entry.key);
      if (digest) yield { ...entry, digest };
    }
  }

  /** The mirrored repositories of the catalog, which may have nothing any more. */
  async *mirrored(): AsyncGenerator<ObjectEntry & { readonly repository: string }> {
    for await (const entry of this.provider.list(keys.mirroredFolder)) {
      const repository = parseOrderedReference(entry.key.slice(keys.mirroredFolder.length + 1));
      if (repository !== undefined) yield { ...entry, repository };
    }
  }

  damaged(): AsyncIterable<ObjectEntry> {
    return this.provider.list('damaged');
  }

  /** The current state of an object; undefined when it does not exist. */
  find(key: string): Promise<ObjectEntry | undefined> {
    return orAbsent(this.provider.stat(key));
  }

  /** As `find`, with uses that other processes have recorded, also where that costs another request. */
  lastUse(key: string): Promise<ObjectEntry | undefined> {
    return orAbsent(this.provider.lastUse?.(key) ?? this.provider.stat(key));
  }

  findContent(digest: Digest): Promise<ObjectEntry | undefined> {
    return this.find(keys.content(digest));
  }

  /**
   * Size in bytes (0 when unknown) and privacy from a record of a blob or manifest. A damaged record counts as private.
   */
  async read({ key }: Pick<StoredRecord, 'key'>): Promise<{ readonly size: number; readonly isPrivate: boolean }> {
    const record = await orAbsent(this.provider.read(key, 64 * 1024));
    const fields = (record && parseRecord(record)) ?? {};
    return { size: sizeOf(fields) ?? 0, isPrivate: permissionOf(fields).isPrivate };
  }

  /** Removes an object from the storage and the memory cache. */
  async remove({ key, size }: ObjectEntry, objects = 0): Promise<void> {
    this.hot.forget(key);
    await this.provider.delete(key).finally(() => this.hot.forget(key));
    this.space.remove(size, objects);
  }

  /** Removes content, and before it its origin, which says nothing without it. */
  async removeContent(content: StoredContent): Promise<void> {
    await this.provider.delete(keys.origin(content.digest));
    this.space.remove(1, 0);
    await this.remove(content, 1);
  }

  /** Records a use unless one was recorded within `age` milliseconds of `now`. */
  async use(key: string, now: number, age: number): Promise<void> {
    const entry = await this.find(key);
    if (entry && Math.abs(now - entry.usedAt.getTime()) > age) await orAbsent(this.provider.touch(key));
  }

  /** @throws StorageError `newer-version` */
  state(name: 'usage' | 'scrub'): Promise<RecordFields | undefined> {
    return this.states.find(keys.state(name), (fields) => fields);
  }

  /** @throws StorageError `newer-version` when a later version has written one, which is left unchanged. */
  async putState(name: 'usage' | 'scrub', fields: RecordFields): Promise<void> {
    await this.state(name);
    await this.states.put(keys.state(name), fields);
  }
}
