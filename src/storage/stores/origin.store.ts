import type { Digest } from '../../oci/digest.js';
import type { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { permissionOf, RecordStore, sizeOf, type RecordFields } from './record.store.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** The upstream that content was received from and verified. */
export interface Origin {
  /** Identity of the upstream. */
  readonly upstream: string;
  /** Whether it was received with credentials. */
  readonly isPrivate: boolean;
  /** Of the credentials that it was received with; undefined without, and in records of earlier versions. */
  readonly account?: string | undefined;
  /** In bytes. */
  readonly size: number;
}

/** The origin of each stored content; the last upstream that has sent it counts. */
export class OriginStore {
  private readonly records: RecordStore;

  /** Origins are not cached in memory: they are read rarely, and other replicas write them. */
  constructor(
    provider: StorageProvider,
    _hot?: HotCache,
    private readonly space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, undefined, undefined, space);
  }

  /** Undefined for content that an earlier version stored. */
  find(digest: Digest): Promise<Origin | undefined> {
    return this.records.find(keys.origin(digest), readRecord);
  }

  async put(digest: Digest, origin: Origin): Promise<void> {
    await this.records.put(keys.origin(digest), { ...origin });
    this.space?.add(1, 0);
  }
}

function readRecord(fields: RecordFields): Origin | undefined {
  const size = sizeOf(fields);
  const { upstream, account } = fields;
  if (typeof upstream !== 'string' || size === undefined) return undefined;
  const { isPrivate } = permissionOf(fields);
  return { upstream, size, isPrivate, ...(typeof account === 'string' && { account }) };
}
