import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import type { HotCache } from './hot.cache.js';
import { RecordStore, type RecordFields } from './record.store.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** When an upstream last refused a repository, or a digest in it, in milliseconds since 1970. */
export class RefusalStore {
  private readonly records: RecordStore;

  /** Refusals are not cached in memory: they are read in outages only, and other replicas write them. */
  constructor(
    provider: StorageProvider,
    _hot?: HotCache,
    private readonly space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, undefined, undefined, space);
  }

  /** @param digest without it, the refusal of the whole repository. */
  find(repository: RepositoryRef, digest?: Digest): Promise<number | undefined> {
    return this.records.find(keys.refusal(repository, digest), readRecord);
  }

  async put(repository: RepositoryRef, digest: Digest | undefined, refusedAt: number): Promise<void> {
    await this.records.put(keys.refusal(repository, digest), { refusedAt });
    this.space?.add(1, 0);
  }
}

function readRecord({ refusedAt }: RecordFields): number | undefined {
  return typeof refusedAt === 'number' && Number.isFinite(refusedAt) ? refusedAt : undefined;
}
