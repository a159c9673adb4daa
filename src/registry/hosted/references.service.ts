import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { ManifestError } from '../../oci/manifest.js';
import { isIndex, isManifestMediaType } from '../../oci/media-type.js';
import {
  parsePushedManifest,
  type PushedDescriptor,
  type PushedDocument,
} from '../../oci/manifests/pushed-manifest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { RenewalsService } from './garbage/renewals.service.js';

/** Concurrent look-ups of one manifest's content. */
const concurrency = 16;
/** Concurrent reads of manifests. */
const reads = 64;
/** Digests remembered, by the manifest that names them. */
const maxRemembered = 100_000;

/** What is recorded of content; blobs have no type. */
interface Stored {
  readonly size: number;
  readonly mediaType?: string;
}

/** Content, and everything that a manifest says of it. */
interface Described {
  readonly digest: Digest;
  readonly all: PushedDescriptor[];
}

/** Of a manifest whose references have not been read. */
const notIndex = Symbol('not an index');

/** What manifests of hosted repositories refer to, and whether it is there. */
@Injectable()
export class ReferencesService {
  private readonly known = new LRUCache<string, ReadonlySet<string> | typeof notIndex>({ maxSize: maxRemembered });

  constructor(
    private readonly store: HostedStore,
    private readonly content: ContentStore,
    private readonly bodies: StoredManifests,
    private readonly renewals: RenewalsService,
  ) {}

  /**
   * The repository must have all content that a manifest refers to, as the manifest describes it. It is kept for the
   * manifest that is being pushed.
   * @param isSparse manifests of an index may be missing.
   * @param isFirst the same is asserted again before the push is acknowledged.
   * @throws OciError MANIFEST_BLOB_UNKNOWN, SIZE_INVALID, MANIFEST_INVALID; StorageError
   */
  async assertWhole(
    repository: RepositoryRef,
    document: Pick<PushedDocument, 'blobs' | 'manifests'>,
    isSparse: boolean,
    isFirst: boolean,
  ): Promise<void> {
    await this.assertAll(document.blobs, false, ({ digest }) => this.findPushed(repository, digest, isFirst));
    await this.assertAll(document.manifests, isSparse, (child) => this.findChild(repository, child));
  }

  /** A manifest of the repository that refers to the digest. @param indexesOnly looks at those that list manifests */
  async findUser(repository: RepositoryRef, digest: Digest, indexesOnly: boolean): Promise<Digest | undefined> {
    for await (const users of this.store.manifests(repository)) {
      for (let done = 0; done < users.length; done += reads) {
        const some = users.slice(done, done + reads);
        const uses = await Promise.all(some.map((user) => this.refersTo(repository, user, digest, indexesOnly)));
        const user = some[uses.indexOf(true)];
        if (user) return user;
      }
    }
    return undefined;
  }

  /** Spares a later look for an index the record of a manifest whose type is known. */
  note(digest: Digest, mediaType: string): void {
    const key = digest.toString();
    if (!isIndex(mediaType) && !this.known.has(key)) this.known.set(key, notIndex, { size: 1 });
  }

  private async refersTo(
    repository: RepositoryRef,
    user: Digest,
    digest: Digest,
    indexesOnly: boolean,
  ): Promise<boolean> {
    if (user.equals(digest)) return false;
    const key = user.toString();
    const known = this.known.get(key);
    if (known === notIndex && indexesOnly) return false;
    if (known && known !== notIndex) return known.has(digest.toString());
    const record = await this.store.findManifest(repository, user);
    if (!record) return false;
    if (indexesOnly && !isIndex(record.mediaType)) {
      this.note(user, record.mediaType);
      return false;
    }
    const body = await this.bodies.find(user, record.size);
    if (!body) return false;
    const references = referencesIn(body, record.mediaType, user);
    this.known.set(key, references, { size: references.size + 1 });
    return references.has(digest.toString());
  }

  private async assertAll(
    descriptors: readonly PushedDescriptor[],
    mayLack: boolean,
    find: (described: Described) => Promise<Stored | undefined>,
  ): Promise<void> {
    const different = byDigest(descriptors);
    for (let done = 0; done < different.length; done += concurrency) {
      const batch = different.slice(done, done + concurrency);
      const lookUps = batch.map(async (each) => ({ ...each, stored: await find(each) }));
      for (const { digest, all, stored } of await Promise.all(lookUps)) {
        if (stored) for (const descriptor of all) assertDescribes(descriptor, stored);
        else if (!mayLack) throw missing(digest);
      }
    }
  }

  /** A blob that was pushed for this manifest is not looked up twice, where memory does not answer for records anyway. */
  private async findPushed(repository: RepositoryRef, digest: Digest, isFirst: boolean): Promise<Stored | undefined> {
    const size = this.store.isCached ? undefined : this.renewals.findNew(repository, digest);
    if (size === undefined) return this.findBlob(repository, digest);
    if (isFirst) return { size };
    // It may have been deleted; its content is too new to be removed.
    const record = await this.store.findBlob(repository, digest);
    return record?.size === size ? record : this.findBlob(repository, digest);
  }

  private async findBlob(repository: RepositoryRef, digest: Digest): Promise<Stored | undefined> {
    const record = await this.store.findBlob(repository, digest);
    if (!record || (await this.content.findSize(digest)) !== record.size) return undefined;
    return (await this.renewals.blob(repository, digest)) ? record : undefined;
  }

  /** BuildKit lists the layers of its cache in an index. What an index calls a manifest, clients ask for as one. */
  private async findChild(repository: RepositoryRef, { digest, all }: Described): Promise<Stored | undefined> {
    const record = await this.store.findManifest(repository, digest);
    const isManifest = all.some(({ mediaType = '' }) => isManifestMediaType(mediaType));
    if (!record) return isManifest ? undefined : this.findBlob(repository, digest);
    return (await this.renewals.manifest(repository, digest)) ? record : undefined;
  }
}

/** A manifest may describe the same content more than once. */
function byDigest(descriptors: readonly PushedDescriptor[]): Described[] {
  const found = new Map<string, Described>();
  for (const descriptor of descriptors) {
    const { digest } = descriptor;
    const same = found.get(digest.toString());
    if (same) same.all.push(descriptor);
    else found.set(digest.toString(), { digest, all: [descriptor] });
  }
  return [...found.values()];
}

/** @throws OciError when a manifest describes content as something that it is not: clients would fail with it later */
function assertDescribes({ digest, size, mediaType }: PushedDescriptor, stored: Stored): void {
  const name = digest.toString();
  if (size !== undefined && size !== stored.size) {
    const detail = { digest: name, size, stored: stored.size };
    throw new OciError('SIZE_INVALID', `${name} has ${stored.size} bytes, not ${size}`, { status: 400, detail });
  }
  if (mediaType !== undefined && stored.mediaType !== undefined && mediaType !== stored.mediaType) {
    const detail = { digest: name, mediaType, stored: stored.mediaType };
    throw new OciError('MANIFEST_INVALID', `${name} is of type ${stored.mediaType}, not ${mediaType}`, { detail });
  }
}

function missing(digest: Digest): OciError {
  const detail = { digest: digest.toString() };
  return new OciError('MANIFEST_BLOB_UNKNOWN', `the repository does not have ${digest.toString()}`, { detail });
}

function referencesIn(body: Buffer, mediaType: string, digest: Digest): ReadonlySet<string> {
  try {
    const { blobs, manifests } = parsePushedManifest(body, mediaType, digest.algorithm);
    return new Set([...blobs, ...manifests].map(({ digest: named }) => named.toString()));
  } catch (error) {
    if (error instanceof ManifestError) return new Set();
    throw error;
  }
}
