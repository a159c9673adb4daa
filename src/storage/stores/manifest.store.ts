import { Digest } from '../../oci/digest.js';
import { maxManifestBytes, type Manifest } from '../../oci/manifest.js';
import { mayLabelManifest } from '../../oci/media-type.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HotCache } from './hot.cache.js';
import { keys, parseRecordKey } from '../keys.js';
import { permissionOf, RecordStore, sizeOf, type Permission, type RecordFields } from './record.store.js';
import { quarantine } from './quarantine.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/** A repository's record of a manifest; the media type it was first served with never changes. */
export interface ManifestRecord extends Permission {
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  readonly subject?: Digest;
}

/** Manifests, stored verbatim as content, and the records of the repositories that contain them. */
export class ManifestStore {
  private readonly records: RecordStore;

  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly space = new SpaceLedger(),
  ) {
    this.records = new RecordStore(provider, hot, undefined, space);
  }

  find(repository: RepositoryRef, digest: Digest): Promise<ManifestRecord | undefined> {
    return this.records.find(keys.manifest(repository, digest), readRecord);
  }

  /** As `find`, bypassing the memory cache: another replica may have written it since. */
  reread(repository: RepositoryRef, digest: Digest): Promise<ManifestRecord | undefined> {
    return this.records.reread(keys.manifest(repository, digest), readRecord);
  }

  /** The stored bytes; undefined when absent, too large, or damaged. Damaged bytes are quarantined. */
  findBody(digest: Digest): Promise<Buffer | undefined> {
    return this.hot.getOrRead(
      keys.content(digest),
      () => this.readBody(digest),
      (body) => body.length,
    );
  }

  /** The bytes when memory has them. */
  findCachedBody(digest: Digest): Buffer | undefined {
    return this.hot.get(keys.content(digest)) as Buffer | undefined;
  }

  /** The manifests that the repository is recorded to contain, and when each was used last. */
  async *list(repository: RepositoryRef): AsyncGenerator<{ readonly digest: Digest; readonly usedAt: Date }> {
    for await (const { key, usedAt } of this.provider.list(`${keys.repository(repository)}/_manifests`)) {
      const digest = parseRecordKey(key)?.digest;
      if (digest) yield { digest, usedAt };
    }
  }

  /** Size in bytes of stored content. */
  async findSize(digest: Digest): Promise<number | undefined> {
    return (await orAbsent(this.provider.stat(keys.content(digest))))?.size;
  }

  /** Returns a check, without I/O, whether the memory cache still holds this record and these bytes. */
  watch(repository: RepositoryRef, digest: Digest, record: ManifestRecord, body?: Buffer): () => boolean {
    const [recordKey, contentKey] = [keys.manifest(repository, digest), keys.content(digest)];
    return () => this.hot.holds(recordKey, record) && (body === undefined || this.hot.holds(contentKey, body));
  }

  private async readBody(digest: Digest): Promise<Buffer | undefined> {
    const body = await orAbsent(this.provider.read(keys.content(digest), maxManifestBytes)).catch((error: unknown) => {
      if (error instanceof StorageError && error.kind === 'too-large') return undefined;
      throw error;
    });
    if (body === undefined || Digest.of(body, digest.algorithm).equals(digest)) return body;
    if (await quarantine(this.provider, digest)) this.space.quarantine();
    return undefined;
  }

  /** Writes the content before the record, so that a record never refers to missing content. */
  async put(
    repository: RepositoryRef,
    { body, mediaType, digest, subject }: Manifest,
    permission: Permission,
  ): Promise<void> {
    await this.putContent(digest, body);
    await this.link(repository, digest, { mediaType, size: body.length, ...(subject && { subject }), ...permission });
  }

  /** Stores the bytes. @throws StorageError `full` when the quota does not allow it */
  async putContent(digest: Digest, body: Buffer): Promise<void> {
    this.space.check(body.length);
    await this.provider.write(keys.content(digest), body);
    this.space.add(body.length);
  }

  /** Records that the repository contains the manifest, whose content must be stored already. */
  async link(repository: RepositoryRef, digest: Digest, record: ManifestRecord): Promise<void> {
    await this.records.put(keys.manifest(repository, digest), { ...record });
    this.space.add(1, 0);
  }

  /** Removes the repository's record of the manifest; the content stays. */
  unlink(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.manifest(repository, digest));
  }
}

function readRecord(fields: RecordFields): ManifestRecord | undefined {
  const { mediaType, subject } = fields;
  const size = sizeOf(fields);
  if (typeof mediaType !== 'string' || !mayLabelManifest(mediaType) || size === undefined) return undefined;
  const target = typeof subject === 'string' ? Digest.find(subject) : undefined;
  return { mediaType, size, ...(target && { subject: target }), ...permissionOf(fields) };
}
