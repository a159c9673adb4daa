import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import type { Digest } from '../../../oci/digest.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { keys, mountSlots } from '../../keys.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { StorageError } from '../../storage-error.js';
import type { StorageProvider } from '../../storage.provider.js';
import type { HotCache } from '../hot.cache.js';
import { parseRecord } from '../record.store.js';

/** Largest record in bytes. */
const maxRecordBytes = 4 * 1024;
/** Records that this process remembers to have written. */
const maxKnown = 20_000;
const version = 1;

/**
 * Some of the repositories that have content: one in each of a fixed number of slots, the latest of those that share it. A
 * record is a hint, which may be lost or outdated, so that it costs no sync.
 */
export class MountSourceStore {
  private readonly known = new LRUCache<string, string>(atMost(maxKnown));

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    private readonly space?: SpaceLedger,
  ) {}

  /** Notes that a repository has the content. @throws StorageError */
  async put(repository: RepositoryRef, digest: Digest): Promise<void> {
    const key = keys.mountSource(digest, keys.mountSlot(repository));
    const name = repository.toString();
    if (this.known.get(key) === name || this.space?.isFull === true) return;
    await this.provider.write(key, Buffer.from(JSON.stringify({ version, repository: name })), { isDurable: false });
    this.space?.add(1, 0);
    this.known.set(key, name);
  }

  /** As many reads whether there are any or not, so that their number shows in no response time. @throws StorageError */
  async find(digest: Digest): Promise<RepositoryRef[]> {
    const slots = Array.from({ length: mountSlots }, (_, slot) => this.read(keys.mountSource(digest, slot)));
    return (await Promise.all(slots)).flatMap((repository) => repository ?? []);
  }

  private async read(key: string): Promise<RepositoryRef | undefined> {
    try {
      const fields = parseRecord(await this.provider.read(key, maxRecordBytes));
      const isReadable = fields?.version === version && typeof fields.repository === 'string';
      return isReadable ? RepositoryRef.parse(fields.repository as string) : undefined;
    } catch (error) {
      if (error instanceof StorageError && error.kind !== 'not-found' && error.kind !== 'too-large') throw error;
      // Absent, or not a record of this program.
      return undefined;
    }
  }
}
