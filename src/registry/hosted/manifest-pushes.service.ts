import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { ManifestError } from '../../oci/manifest.js';
import { parsePushedManifest, type PushedDocument } from '../../oci/manifests/pushed-manifest.js';
import { Tag, type Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { HostedStore, type HostedManifest } from '../../storage/stores/hosted/hosted.store.js';
import { ReferrerStore, type Referrer } from '../../storage/stores/hosted/referrer.store.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import type { PushedManifest, PutResult } from '../push.js';
import { toResponseError } from '../response-error.js';
import { RenewalsService } from './garbage/renewals.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { ContentLock } from './locks/content.lock.js';
import { QuotaService } from './quota/quota.service.js';
import { ReferencesService } from './references.service.js';
import { areConditional, assertHolds, TagWriter } from './tag-writer.js';

/** Deletions of the same manifest at the same time that a push outlives. */
const attempts = 5;

/** Takes manifests that clients push (end-7). */
@Injectable()
export class ManifestPushesService {
  constructor(
    private readonly store: HostedStore,
    private readonly catalog: CatalogStore,
    private readonly referrers: ReferrerStore,
    private readonly manifests: ManifestStore,
    private readonly references: ReferencesService,
    private readonly tags: TagWriter,
    private readonly namespaces: HostedNamespaces,
    private readonly quota: QuotaService,
    private readonly contents: ContentLock,
    private readonly renewals: RenewalsService,
  ) {}

  /** @throws OciError; nothing is visible then, unless an immutable tag was created by another process at the same time */
  async put(repository: RepositoryRef, reference: Reference, pushed: PushedManifest): Promise<PutResult> {
    try {
      return await this.accept(repository, reference, pushed);
    } catch (error) {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    }
  }

  private async accept(repository: RepositoryRef, reference: Reference, pushed: PushedManifest): Promise<PutResult> {
    const document = parse(pushed, reference instanceof Digest ? reference : undefined);
    const { digest, subject } = document;
    const tags = distinct([...(reference instanceof Tag ? [reference] : []), ...pushed.tags]);
    if (tags.length === 0) await this.checkManifest(repository, digest, pushed);
    for (const tag of tags) await this.tags.check(repository, tag, digest, pushed);
    const { length } = pushed.body;
    await this.quota.check(repository, length, digest);
    await this.assertWhole(repository, document, true);
    const record = () => this.record(repository, document, pushed.body);
    const isNew = (await this.quota.within(repository, digest, length, record)) === true;
    const manifest = recordOf(document, pushed.body);
    const written: Tag[] = [];
    try {
      for (const tag of tags) {
        await this.tags.write(repository, tag, digest, manifest, pushed);
        written.push(tag);
      }
    } finally {
      await this.outlive(repository, document, pushed.body, written);
    }
    const { mediaType, size } = manifest;
    return { digest, mediaType, size, tags, isNew, ...(subject && { subject }) };
  }

  /** @returns whether the repository did not have it */
  private async record(repository: RepositoryRef, document: PushedDocument, body: Buffer): Promise<boolean> {
    const { digest } = document;
    await this.contents.take(digest);
    const known = await this.store.findManifest(repository, digest);
    // It may just be being removed as garbage.
    if (known && this.namespaces.untaggedOf(repository.namespace) !== undefined)
      await this.renewals.manifest(repository, digest);
    await this.manifests.putContent(digest, body);
    await this.catalog.add(repository);
    await this.store.putManifest(repository, digest, recordOf(document, body));
    try {
      // What a deletion removed before it could see this manifest is missing now.
      await this.assertWhole(repository, document, false);
    } catch (error) {
      if (!known) await this.store.removeManifest(repository, digest);
      throw error;
    }
    await this.refer(repository, document, body.length);
    return known === undefined;
  }

  /**
   * A deletion at the same time removes tags and the record and then looks for tags and the entry among referrers; the push
   * has written those and then looks for the record. So either the deletion is taken back, or everything is written again
   * here. The record may be that of another push that came after the deletion, hence the look at the tags.
   */
  private async outlive(repository: RepositoryRef, document: PushedDocument, body: Buffer, tags: Tag[]): Promise<void> {
    const { digest } = document;
    const manifest = recordOf(document, body);
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await this.isWritten(repository, digest, tags)) return;
      try {
        await this.record(repository, document, body);
      } catch (error) {
        for (const tag of tags) await this.tags.discard(repository, tag, digest);
        throw error;
      }
      for (const tag of tags) await this.tags.restore(repository, tag, digest, manifest);
    }
    throw new OciError('UNAVAILABLE', 'the manifest is being deleted', { retryAfter: 1 });
  }

  /** A tag that names another manifest by now was moved by another push. */
  private async isWritten(repository: RepositoryRef, digest: Digest, tags: readonly Tag[]): Promise<boolean> {
    if (!(await this.store.findManifest(repository, digest))) return false;
    for (const tag of tags) if (!(await this.store.findTag(repository, tag))) return false;
    return true;
  }

  private async checkManifest(repository: RepositoryRef, digest: Digest, pushed: PushedManifest): Promise<void> {
    if (!areConditional(pushed)) return;
    assertHolds(pushed, (await this.store.findManifest(repository, digest)) && digest);
  }

  private async refer(repository: RepositoryRef, document: PushedDocument, size: number): Promise<void> {
    const { subject } = document;
    if (subject) await this.referrers.put(repository, subject, referrerOf(document, size));
  }

  private async assertWhole(repository: RepositoryRef, document: PushedDocument, isFirst: boolean): Promise<void> {
    const { sparseIndexes } = this.namespaces.settingsOf(repository.namespace);
    await this.references.assertWhole(repository, document, sparseIndexes, isFirst);
  }
}

function parse({ body, contentType }: PushedManifest, expected: Digest | undefined): PushedDocument {
  try {
    const document = parsePushedManifest(body, contentType, expected?.algorithm ?? 'sha256');
    if (expected && !document.digest.equals(expected))
      throw new OciError('DIGEST_INVALID', `the digest of the manifest is ${document.digest.toString()}`);
    return document;
  } catch (error) {
    if (error instanceof ManifestError) throw new OciError('MANIFEST_INVALID', error.message, { cause: error });
    throw error;
  }
}

function recordOf({ mediaType, subject }: PushedDocument, body: Buffer): HostedManifest {
  return { mediaType, size: body.length, ...(subject && { subject }) };
}

/** The entry of a manifest in the list of its subject. */
export function referrerOf({ digest, mediaType, artifactType, annotations }: PushedDocument, size: number): Referrer {
  return { digest, mediaType, size, artifactType, annotations };
}

function distinct(tags: readonly Tag[]): Tag[] {
  return [...new Map(tags.map((tag) => [tag.name, tag])).values()];
}
