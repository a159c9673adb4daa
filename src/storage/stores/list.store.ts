import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import { RecordStore, type RecordFields } from './record.store.js';
import type { HotCache } from './hot.cache.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** Largest record in bytes: a list of up to 4 MiB as JSON text within JSON. */
const maxRecordBytes = 12 * 1024 * 1024;

/** A page of tags or referrers as the upstream sent it. */
export interface ListRecord {
  /** JSON text. */
  readonly body: string;
  /** Query string of the next page. */
  readonly next?: string | undefined;
  /** Filters that the upstream applied. */
  readonly filters?: string | undefined;
  /** When the upstream sent it, in milliseconds since 1970. */
  readonly checkedAt: number;
}

/** Requested lists, kept for outages; a bounded number per repository. */
export class ListStore {
  private readonly records: RecordStore;

  /** Lists are large and rarely requested, so they bypass the memory cache. */
  constructor(provider: StorageProvider, _hot?: HotCache, space?: SpaceLedger) {
    this.records = new RecordStore(provider, undefined, maxRecordBytes, space);
  }

  /** @param name the requested list with its query; another list may have replaced it in its slot. */
  async find(repository: RepositoryRef, name: string): Promise<ListRecord | undefined> {
    const found = await this.records.find(keys.list(repository, name), readRecord);
    return found?.name === name ? found : undefined;
  }

  put(repository: RepositoryRef, name: string, record: ListRecord): Promise<void> {
    return this.records.put(keys.list(repository, name), { name, ...record });
  }

  remove(repository: RepositoryRef, name: string): Promise<void> {
    return this.records.remove(keys.list(repository, name));
  }
}

function readRecord(fields: RecordFields): (ListRecord & { readonly name: string }) | undefined {
  const { name, body, next, filters, checkedAt } = fields;
  if (typeof name !== 'string' || typeof body !== 'string') return undefined;
  if (typeof checkedAt !== 'number' || !Number.isFinite(checkedAt)) return undefined;
  return { name, body, next: textOf(next), filters: textOf(filters), checkedAt };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
