import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { ManifestError } from '../../oci/manifest.js';
import { parsePushedManifest, type PushedDocument } from '../../oci/manifests/pushed-manifest.js';
import { Tag, type Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { HostedStore, type HostedManifest } from '../../storage/stores/hosted/hosted.store.js';
import { ReferrerStore } from '../../storage/stores/hosted/referrer.store.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import type { PushedManifest, PutResult } from '../push.js';
import { toResponseError } from '../response-error.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { ContentLock } from './locks/content.lock.js';
import { QuotaService } from './quota/quota.service.js';
import { ReferencesService } from './references.service.js';
import { TagWriter, type Preconditions } from './tag-writer.js';

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
    const conditionsOf = (tag: Tag): Preconditions => (tag === reference ? pushed : {});
    for (const tag of tags) await this.tags.check(repository, tag, digest, conditionsOf(tag));
    const { length } = pushed.body;
    await this.quota.check(repository, length, digest);
    await this.assertWhole(repository, document);
    const record = () => this.record(repository, document, pushed.body);
    const isNew = (await this.quota.within(repository, digest, length, record)) === true;
    const manifest = recordOf(document, pushed.body);
    for (const tag of tags) await this.tags.write(repository, tag, digest, manifest, conditionsOf(tag));
    // A deletion at the same time may have removed the record before the tags were there.
    if (!(await this.store.findManifest(repository, digest))) await this.link(repository, document, manifest);
    const { mediaType, size } = manifest;
    return { digest, mediaType, size, tags, isNew, ...(subject && { subject }) };
  }

  /** @returns whether the repository did not have it */
  private async record(repository: RepositoryRef, document: PushedDocument, body: Buffer): Promise<boolean> {
    const { digest } = document;
    await this.contents.take(digest);
    const known = await this.store.findManifest(repository, digest);
    await this.manifests.putContent(digest, body);
    await this.catalog.add(repository);
    await this.store.putManifest(repository, digest, recordOf(document, body));
    try {
      // What a deletion removed before it could see this manifest is missing now.
      await this.assertWhole(repository, document);
    } catch (error) {
      if (!known) await this.store.removeManifest(repository, digest);
      throw error;
    }
    await this.refer(repository, document, body.length);
    return known === undefined;
  }

  private async link(repository: RepositoryRef, document: PushedDocument, manifest: HostedManifest): Promise<void> {
    await this.store.putManifest(repository, document.digest, manifest);
    await this.refer(repository, document, manifest.size);
  }

  private async refer(repository: RepositoryRef, document: PushedDocument, size: number): Promise<void> {
    const { digest, mediaType, subject, artifactType, annotations } = document;
    if (subject) await this.referrers.put(repository, subject, { digest, mediaType, size, artifactType, annotations });
  }

  private async assertWhole(repository: RepositoryRef, document: PushedDocument): Promise<void> {
    const { sparseIndexes } = this.namespaces.settingsOf(repository.namespace);
    await this.references.assertWhole(repository, document, sparseIndexes);
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

function distinct(tags: readonly Tag[]): Tag[] {
  return [...new Map(tags.map((tag) => [tag.name, tag])).values()];
}
