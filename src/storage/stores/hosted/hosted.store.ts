import { Digest } from '../../../oci/digest.js';
import { mayLabelManifest } from '../../../oci/media-type.js';
import { Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../keys.js';
import { parseOrderedTag } from '../../key-components.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import type { StorageProvider } from '../../storage.provider.js';
import { HotCache } from '../hot.cache.js';
import { hotKey, type RecordFields, RecordStore, sizeOf } from '../record.store.js';

/** Names listed together: a file system reads the whole folder for each of these lists if it has just changed. */
const namesAtATime = 10_000;

/** A blob that was pushed to a repository. */
export interface HostedBlob {
  /** In bytes. */
  readonly size: number;
}

/** A manifest that was pushed to a repository. */
export interface HostedManifest extends HostedBlob {
  readonly mediaType: string;
  readonly subject?: Digest;
}

/** What a tag of a hosted repository names. */
export interface HostedTag extends HostedManifest {
  readonly digest: Digest;
  /** When it was last pushed, in milliseconds since 1970. */
  readonly pushedAt: number;
}

/** The records of what was pushed to repositories. They refer to content, which must be committed before. */
export class HostedStore {
  private readonly records: RecordStore;

  /** @param hot holds nothing when other processes write the same storage: each record is then read anew. */
  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly space?: SpaceLedger,
  ) {
    this.records = new RecordStore(provider, hot, undefined, space, true);
  }

  findBlob(repository: RepositoryRef, digest: Digest): Promise<HostedBlob | undefined> {
    return this.records.find(keys.blob(repository, digest), readBlob);
  }

  putBlob(repository: RepositoryRef, digest: Digest, { size }: HostedBlob): Promise<void> {
    return this.put(keys.blob(repository, digest), { size });
  }

  removeBlob(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.blob(repository, digest));
  }

  findManifest(repository: RepositoryRef, digest: Digest): Promise<HostedManifest | undefined> {
    return this.records.find(keys.manifest(repository, digest), readManifest);
  }

  putManifest(repository: RepositoryRef, digest: Digest, manifest: HostedManifest): Promise<void> {
    const { mediaType, size, subject } = manifest;
    return this.put(keys.manifest(repository, digest), { mediaType, size, ...(subject && { subject }) });
  }

  /** The digests of all manifests of a repository, some at a time. */
  async *manifests(repository: RepositoryRef): AsyncGenerator<Digest[]> {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const folder = `${keys.manifests(repository)}/${algorithm}`;
      let last: string | undefined;
      do {
        const names = await this.provider.listNames(folder, last, namesAtATime);
        last = names.length < namesAtATime ? undefined : names.at(-1);
        yield names.flatMap((name) => Digest.find(`${algorithm}:${name}`) ?? []);
      } while (last !== undefined);
    }
  }

  removeManifest(repository: RepositoryRef, digest: Digest): Promise<void> {
    return this.records.remove(keys.manifest(repository, digest));
  }

  findTag(repository: RepositoryRef, tag: Tag): Promise<HostedTag | undefined> {
    return this.records.find(keys.hostedTag(repository, tag), (fields) =>
      fields.tag === tag.name ? readTag(fields) : undefined,
    );
  }

  putTag(repository: RepositoryRef, tag: Tag, target: HostedTag): Promise<void> {
    const { digest, mediaType, size, pushedAt } = target;
    return this.put(keys.hostedTag(repository, tag), { tag: tag.name, digest, mediaType, size, pushedAt });
  }

  /**
   * As `putTag`, for a tag that must not exist yet.
   * @returns false when it does, also when another process has just created it. Exclusive where the storage is.
   */
  async createTag(repository: RepositoryRef, tag: Tag, target: HostedTag): Promise<boolean> {
    const { digest, mediaType, size, pushedAt } = target;
    const fields = { tag: tag.name, digest, mediaType, size, pushedAt };
    const isCreated = await this.records.create(keys.hostedTag(repository, tag), fields);
    if (isCreated) this.space?.add(1, 0);
    return isCreated;
  }

  removeTag(repository: RepositoryRef, tag: Tag): Promise<void> {
    return this.records.remove(keys.hostedTag(repository, tag));
  }

  /**
   * Tags in the order of their bytes.
   * @param after only those behind this one, whether it exists or not.
   */
  async listTags(repository: RepositoryRef, after: Tag | undefined, limit: number): Promise<Tag[]> {
    const folder = keys.hostedTags(repository);
    const last = after && keys.hostedTag(repository, after).slice(folder.length + 1);
    const names = await this.provider.listNames(folder, last, limit);
    const tags = await Promise.all(names.map((name) => this.tagOf(`${folder}/${name}`, name)));
    return tags.flatMap((tag) => tag ?? []);
  }

  /** The name is that of the key, or of the record where the key is too short for it. Undefined for foreign objects. */
  private async tagOf(key: string, name: string): Promise<Tag | undefined> {
    const text = parseOrderedTag(name) ?? (await this.records.find(key, readTag))?.name;
    try {
      return text === undefined ? undefined : Tag.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Whether memory answers for records; otherwise each is read anew. */
  get isCached(): boolean {
    return this.hot.isEnabled;
  }

  /** Returns a check, without I/O, whether the memory cache still holds this tag. */
  watchTag(repository: RepositoryRef, tag: Tag, record: HostedTag): () => boolean {
    const key = keys.hostedTag(repository, tag);
    return () => this.hot.holds(hotKey(key, true), record);
  }

  /** As `watchTag`, for a manifest. */
  watchManifest(repository: RepositoryRef, digest: Digest, record: HostedManifest): () => boolean {
    const key = keys.manifest(repository, digest);
    return () => this.hot.holds(hotKey(key, true), record);
  }

  /** As `watchTag`, for a blob. */
  watchBlob(repository: RepositoryRef, digest: Digest, record: HostedBlob): () => boolean {
    const key = keys.blob(repository, digest);
    return () => this.hot.holds(hotKey(key, true), record);
  }

  private async put(key: string, fields: RecordFields): Promise<void> {
    await this.records.put(key, fields);
    this.space?.add(1, 0);
  }
}

function readBlob(fields: RecordFields): HostedBlob | undefined {
  const size = sizeOf(fields);
  return size === undefined ? undefined : { size };
}

function readManifest(fields: RecordFields): HostedManifest | undefined {
  const { mediaType, subject } = fields;
  const size = sizeOf(fields);
  if (typeof mediaType !== 'string' || !mayLabelManifest(mediaType) || size === undefined) return undefined;
  const target = typeof subject === 'string' ? Digest.find(subject) : undefined;
  return { mediaType, size, ...(target && { subject: target }) };
}

/** With the name, since the memory keeps one form of each record. */
function readTag(fields: RecordFields): (HostedTag & { readonly name: string }) | undefined {
  const { tag: name, digest, pushedAt } = fields;
  const manifest = readManifest(fields);
  const target = typeof digest === 'string' ? Digest.find(digest) : undefined;
  if (!manifest || !target || typeof pushedAt !== 'number' || !Number.isFinite(pushedAt)) return undefined;
  return typeof name === 'string' ? { ...manifest, digest: target, pushedAt, name } : undefined;
}
