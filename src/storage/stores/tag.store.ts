import { Digest } from '../../oci/digest.js';
import { mayLabelManifest } from '../../oci/media-type.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys } from '../keys.js';
import { RecordStore, sizeOf, type RecordFields } from './record.store.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** What a tag pointed to when the upstream last confirmed it. */
export interface TagRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Size of the manifest in bytes. */
  readonly size: number;
  /** When the upstream last confirmed it, in milliseconds since 1970. */
  readonly checkedAt: number;
  /** When the upstream first named this digest for the tag, in milliseconds since 1970; unknown of older records. */
  readonly resolvedAt?: number | undefined;
  /** The fallback host that resolved the tag, if it was not the upstream itself. */
  readonly fallback?: string | undefined;
  /** Whether the upstream required credentials. */
  readonly isPrivate?: boolean | undefined;
}

/** The known tags of repositories. */
export class TagStore {
  private readonly records: RecordStore;

  constructor(
    provider: StorageProvider,
    private readonly hot = new HotCache(0),
    space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, hot, undefined, space);
  }

  find(repository: RepositoryRef, tag: Tag): Promise<TagRecord | undefined> {
    return this.records.find(keys.tag(repository, tag), readerOf(tag));
  }

  /** As `find`, bypassing the memory cache: another replica may have confirmed it since. */
  reread(repository: RepositoryRef, tag: Tag): Promise<TagRecord | undefined> {
    return this.records.reread(keys.tag(repository, tag), readerOf(tag));
  }

  /** Returns a check, without I/O, whether the memory cache still holds this record. */
  watch(repository: RepositoryRef, tag: Tag, record: TagRecord): () => boolean {
    const key = keys.tag(repository, tag);
    return () => this.hot.holds(key, record);
  }

  put(repository: RepositoryRef, tag: Tag, record: TagRecord): Promise<void> {
    return this.records.put(keys.tag(repository, tag), { tag: tag.name, ...record });
  }

  remove(repository: RepositoryRef, tag: Tag): Promise<void> {
    return this.records.remove(keys.tag(repository, tag));
  }
}

function readerOf(tag: Tag): (fields: RecordFields) => TagRecord | undefined {
  return (fields) => (fields.tag === tag.name ? readRecord(fields) : undefined);
}

function readRecord(fields: RecordFields): TagRecord | undefined {
  const { digest, mediaType, checkedAt, resolvedAt, fallback, isPrivate } = fields;
  const size = sizeOf(fields);
  const target = typeof digest === 'string' ? Digest.find(digest) : undefined;
  if (!target || typeof mediaType !== 'string' || !mayLabelManifest(mediaType)) return undefined;
  if (size === undefined || typeof checkedAt !== 'number' || !Number.isFinite(checkedAt)) return undefined;
  const since = typeof resolvedAt === 'number' && Number.isFinite(resolvedAt) && { resolvedAt };
  const source = { ...(typeof fallback === 'string' && { fallback }), ...(isPrivate === true && { isPrivate }) };
  return { digest: target, mediaType, size, checkedAt, ...since, ...source };
}
