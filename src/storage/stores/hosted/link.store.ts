import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys, parseRecordKey } from '../../keys.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import type { ObjectEntry, StorageProvider } from '../../storage.provider.js';

/** A record that a repository contains a blob or manifest; it is as old as its last push or use. */
export interface Link extends ObjectEntry {
  readonly digest: Digest;
}

/** Lists all records of a hosted repository, for garbage collection. A list is whole, or it throws. */
export class LinkStore {
  constructor(private readonly provider: StorageProvider) {}

  blobs(repository: RepositoryRef): AsyncGenerator<Link> {
    return this.links(keys.blobs(repository));
  }

  manifests(repository: RepositoryRef): AsyncGenerator<Link> {
    return this.links(keys.manifests(repository));
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

  /** Its time may leave out uses that were recorded after it was written. */
  find(key: string): Promise<ObjectEntry | undefined> {
    return orAbsent(this.provider.stat(key));
  }

  /** With the time of its last push or use, by any process. */
  lastUse(key: string): Promise<ObjectEntry | undefined> {
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
}
