import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../keys.js';
import { RecordStore, type RecordFields } from './record.store.js';
import { HotCache } from './hot.cache.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** Largest record in bytes: a list of up to 4 MiB, which earlier versions wrote as JSON text within JSON. */
const maxRecordBytes = 12 * 1024 * 1024;
/** Bytes of lists in memory, so that requests for a large one share its bytes. */
const memory = 16 * 1024 * 1024;
/** Milliseconds after which a list is read again, because another replica may have replaced it. */
const memoryLifetime = 30_000;

/** A page of tags or referrers. */
export interface ListRecord {
  /** The document that clients get. */
  readonly body: Uint8Array;
  /** Query string of the next page. */
  readonly next?: string | undefined;
  /** Filters that the upstream applied. */
  readonly filters?: string | undefined;
  /** When the upstream sent it, in milliseconds since 1970. */
  readonly checkedAt: number;
}

interface NamedList extends ListRecord {
  readonly name: string;
}

/** Requested lists, kept for outages; a bounded number per repository. */
export class ListStore {
  private readonly records: RecordStore;
  private readonly reading = new Map<string, Promise<NamedList | undefined>>();

  /** Lists have a memory cache of their own, because a few of them would fill the common one. */
  constructor(provider: StorageProvider, _hot?: HotCache, space?: SpaceLedger) {
    this.records = new RecordStore(provider, new HotCache(memory, memoryLifetime), maxRecordBytes, space);
  }

  /** @param name the requested list with its query; another list may have replaced it in its slot. */
  async find(repository: RepositoryRef, name: string): Promise<ListRecord | undefined> {
    const key = keys.list(repository, name);
    const reading = this.reading.get(key) ?? this.read(key, repository);
    const found = await reading;
    return found?.name === name ? found : undefined;
  }

  async put(repository: RepositoryRef, name: string, { body, ...fields }: ListRecord): Promise<void> {
    const key = keys.list(repository, name);
    await this.replacing(key, this.records.put(key, { name, ...fields }, body));
  }

  async remove(repository: RepositoryRef, name: string): Promise<void> {
    const key = keys.list(repository, name);
    await this.replacing(key, this.records.remove(key));
  }

  /** Concurrent requests share one read, and with it the bytes. */
  private read(key: string, repository: RepositoryRef): Promise<NamedList | undefined> {
    const reading = this.records.find(
      key,
      (fields) => readRecord(fields, repository),
      ({ body }) => body.length,
    );
    this.reading.set(key, reading);
    const end = () => {
      if (this.reading.get(key) === reading) this.reading.delete(key);
    };
    reading.then(end, end);
    return reading;
  }

  /** A read that began before the write is shared with nobody after it. */
  private replacing(key: string, write: Promise<void>): Promise<void> {
    this.reading.delete(key);
    return write.finally(() => this.reading.delete(key));
  }
}

function readRecord(
  { name, body, next, filters, checkedAt }: RecordFields,
  repository: RepositoryRef,
): NamedList | undefined {
  const bytes = typeof body === 'string' ? documentOf(body, repository) : body;
  if (typeof name !== 'string' || !(bytes instanceof Uint8Array)) return undefined;
  if (typeof checkedAt !== 'number' || !Number.isFinite(checkedAt)) return undefined;
  return { name, body: bytes, next: textOf(next), filters: textOf(filters), checkedAt };
}

/** Earlier versions stored the array of tags alone. */
function documentOf(text: string, repository: RepositoryRef): Uint8Array {
  return Buffer.from(text.startsWith('[') ? `{"name":${JSON.stringify(repository.name)},"tags":${text}}` : text);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
