import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import { parseDigestComponent } from '../../key-components.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { orAbsent } from '../../storage-error.js';
import type { StorageProvider } from '../../storage.provider.js';
import { HotCache } from '../hot.cache.js';
import { RecordStore, sizeOf, type RecordFields } from '../record.store.js';

/** Largest record in bytes: descriptors have the annotations of their manifest. */
const maxRecordBytes = 1.25 * 1024 * 1024;
/** Bytes of descriptors in memory. What a record says never changes, whether it is there is listed. */
const memory = 4 * 1024 * 1024;
/** Concurrent reads of one list. */
const concurrency = 16;

/** A descriptor of the referrers list (end-12). */
export interface Referrer {
  readonly digest: Digest;
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The manifests that name a subject: an object each, so that pushes at the same time never meet. */
export class ReferrerStore {
  private readonly records: RecordStore;

  constructor(
    private readonly provider: StorageProvider,
    _hot?: HotCache,
    private readonly space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, new HotCache(memory), maxRecordBytes, space, true);
  }

  async put(repository: RepositoryRef, subject: Digest, referrer: Referrer): Promise<void> {
    const { digest, ...descriptor } = referrer;
    await this.records.put(keys.referrer(repository, subject, digest), descriptor);
    this.space?.add(1, 0);
  }

  /** Whether it is listed now, whatever memory says. */
  async has(repository: RepositoryRef, subject: Digest, manifest: Digest): Promise<boolean> {
    return (await orAbsent(this.provider.stat(keys.referrer(repository, subject, manifest)))) !== undefined;
  }

  remove(repository: RepositoryRef, subject: Digest, manifest: Digest): Promise<void> {
    return this.records.remove(keys.referrer(repository, subject, manifest));
  }

  /**
   * The digests of referrers, in a stable order.
   * @param after only those behind this one.
   */
  async list(repository: RepositoryRef, subject: Digest, after: Digest | undefined, limit: number): Promise<Digest[]> {
    const folder = keys.referrers(repository, subject);
    const last = after && keys.referrer(repository, subject, after).slice(folder.length + 1);
    const names = await this.provider.listNames(folder, last, limit);
    return names.flatMap((name) => parseDigestComponent(name) ?? []);
  }

  /** The descriptors of listed referrers; those removed meanwhile are left out. */
  async read(repository: RepositoryRef, subject: Digest, digests: readonly Digest[]): Promise<Referrer[]> {
    const found: Referrer[] = [];
    for (let done = 0; done < digests.length; done += concurrency) {
      const reads = digests.slice(done, done + concurrency).map(async (digest) => {
        const key = keys.referrer(repository, subject, digest);
        const record = await this.records.find(key, readRecord, ({ cost }) => cost);
        return record && { digest, ...record.referrer };
      });
      found.push(...(await Promise.all(reads)).flatMap((referrer) => referrer ?? []));
    }
    return found;
  }
}

interface CostedReferrer {
  readonly referrer: Omit<Referrer, 'digest'>;
  /** Estimated bytes in memory. */
  readonly cost: number;
}

function readRecord(fields: RecordFields): CostedReferrer | undefined {
  const { mediaType, artifactType, annotations } = fields;
  const size = sizeOf(fields);
  if (typeof mediaType !== 'string' || size === undefined) return undefined;
  const notes = areAnnotations(annotations) ? annotations : undefined;
  const cost = Object.entries(notes ?? {}).reduce((sum, [name, text]) => sum + 64 + 2 * (name.length + text.length), 0);
  const referrer = {
    mediaType,
    size,
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(notes && { annotations: notes }),
  };
  return { referrer, cost };
}

function areAnnotations(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
