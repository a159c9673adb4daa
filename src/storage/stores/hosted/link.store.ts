import { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys, parseRecordKey } from '../../keys.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import type { ObjectEntry, StorageProvider } from '../../storage.provider.js';
import { HotCache } from '../hot.cache.js';
import { RecordStore } from '../record.store.js';

/** Concurrent reads of tags. */
const concurrency = 16;

/** A record that a repository contains a blob or manifest; it is as old as its last push or use. */
export interface Link extends ObjectEntry {
  readonly digest: Digest;
}

/** Lists all records of a hosted repository, for garbage collection. A list is whole, or it throws. */
export class LinkStore {
  private readonly records: RecordStore;

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, new HotCache(0), undefined, space, true);
  }

  blobs(repository: RepositoryRef): AsyncGenerator<Link> {
    return this.links(keys.blobs(repository));
  }

  manifests(repository: RepositoryRef): AsyncGenerator<Link> {
    return this.links(keys.manifests(repository));
  }

  /** The manifests that tags name. @throws StorageError */
  async tagged(repository: RepositoryRef): Promise<Set<string>> {
    const found = new Set<string>();
    let batch: string[] = [];
    const read = async () => {
      const targets = await Promise.all(batch.map((key) => this.targetOf(key)));
      batch = [];
      for (const { digest } of targets.flatMap((target) => target ?? [])) found.add(digest);
    };
    for await (const { key } of this.whole(keys.hostedTags(repository))) {
      batch.push(key);
      if (batch.length === concurrency) await read();
    }
    await read();
    return found;
  }

  /** A record that was damaged, and set aside, since it was last pushed: what it said is unknown. @throws StorageError */
  async findDamaged(repository: RepositoryRef): Promise<string | undefined> {
    for (const folder of [keys.manifests(repository), keys.hostedTags(repository)]) {
      for await (const { key } of this.whole(keys.damaged(folder))) {
        const original = key.slice(keys.damaged('').length);
        if (!(await this.find(original))) return original;
      }
    }
    return undefined;
  }

  /** With the time of its last push or use. */
  find(key: string): Promise<ObjectEntry | undefined> {
    return orAbsent(this.provider.lastUse?.(key) ?? this.provider.stat(key));
  }

  /** Makes a record as new as one that was just pushed. @returns whether it exists */
  async renew(key: string): Promise<boolean> {
    const touched = await orAbsent(this.provider.touch(key).then(() => true));
    return touched === true;
  }

  private async *links(folder: string): AsyncGenerator<Link> {
    for await (const entry of this.whole(folder)) {
      const digest = parseRecordKey(entry.key)?.digest;
      if (digest) yield { ...entry, digest };
    }
  }

  private async *whole(folder: string): AsyncGenerator<ObjectEntry> {
    yield* this.provider.list(folder);
    if (this.provider.isIncomplete?.(folder) === true) throw new StorageError('failed', `${folder} cannot be listed`);
  }

  private targetOf(key: string): Promise<{ digest: string } | undefined> {
    return this.records.find(key, ({ digest }) => {
      const target = typeof digest === 'string' ? Digest.find(digest) : undefined;
      return target && { digest: target.toString() };
    });
  }
}
