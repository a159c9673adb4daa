import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { maxManifestBytes } from '../../oci/manifest.js';
import { readChart, readImageConfig, type ShownConfig } from '../../oci/manifests/image-config.js';
import {
  maxShownBytes,
  readShownManifest,
  type ShownDescriptor,
  type ShownManifest,
} from '../../oci/manifests/shown-manifest.js';
import { platformText } from '../../oci/platform.js';
import { Tag, type Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { TagNameStore } from '../../storage/stores/tag-name.store.js';
import type { ImageView, LayerRow, PlatformEntry, RawManifest } from './browsed.js';
import { BrowsedDocuments, type StoredDocument } from './documents.js';
import { ReferrersReader } from './referrers.reader.js';
import { StoredContent, type BrowsedTag } from './stored.content.js';
import { isImage, TagsReader } from './tags.reader.js';
import { Turns } from './listing/turns.js';
import type { Viewer } from './viewer.js';

/** Manifests of an index whose sizes are read, bytes of the largest of them, and how many at one time. */
const mostRead = 40;
const largestEntry = 128 * 1024;
const concurrency = 8;

/** What a reference names, as far as it is stored. */
@Injectable()
export class ImageReader {
  constructor(
    private readonly content: StoredContent,
    private readonly documents: BrowsedDocuments,
    private readonly referrers: ReferrersReader,
    private readonly tags: TagsReader,
    private readonly names: TagNameStore,
    private readonly turns: Turns,
  ) {}

  /** Undefined for what is not here, or that the viewer may not see. @throws StorageError */
  async find(viewer: Viewer, repository: RepositoryRef, reference: Reference): Promise<ImageView | undefined> {
    const target = await this.resolve(viewer, repository, reference);
    if (!target) return undefined;
    const { digest, tag, found } = target;
    const document = await this.documents.findManifest(viewer, repository, digest);
    const stated = document ?? found;
    if (!stated) return undefined;
    await this.turns.next();
    const manifest = document?.body && readShownManifest(document.body, document.mediaType);
    const isHosted = this.content.isHosted(repository);
    const { rows: referrers, hasMore: moreReferrers } = await this.referrers.of(viewer, repository, digest);
    return {
      isHosted,
      tag: tag?.name,
      digest,
      mediaType: stated.mediaType,
      size: stated.size,
      at: found?.at,
      usedAt: tag && (await this.names.findLastUse(repository, tag, isHosted)),
      freshness: tag && found && this.tags.freshnessOf(repository, tag, found),
      manifest,
      problem: manifest ? undefined : problemOf(document),
      platforms: manifest ? await this.platformsOf(viewer, repository, manifest) : [],
      ...(await this.configOf(viewer, repository, manifest)),
      referrers,
      moreReferrers,
    };
  }

  /** The manifest as it is stored. @throws StorageError */
  async findRaw(viewer: Viewer, repository: RepositoryRef, reference: Reference): Promise<RawManifest | undefined> {
    const target = await this.resolve(viewer, repository, reference);
    if (!target) return undefined;
    const { digest } = target;
    const document = await this.documents.findManifest(viewer, repository, digest, maxManifestBytes);
    return document?.body && { digest, mediaType: document.mediaType, body: document.body };
  }

  private async resolve(
    viewer: Viewer,
    repository: RepositoryRef,
    reference: Reference,
  ): Promise<{ readonly digest: Digest; readonly tag?: Tag; readonly found?: BrowsedTag } | undefined> {
    if (reference instanceof Digest) return { digest: reference };
    const found = await this.content.findTag(viewer, repository, reference);
    return found && { digest: found.digest, tag: reference, found };
  }

  private async platformsOf(
    viewer: Viewer,
    repository: RepositoryRef,
    { manifests }: ShownManifest,
  ): Promise<PlatformEntry[]> {
    const entries: PlatformEntry[] = [];
    for (let done = 0; done < manifests.length; done += concurrency) {
      const batch = manifests.slice(done, done + concurrency);
      const isRead = done < mostRead;
      entries.push(...(await Promise.all(batch.map((each) => this.entryOf(viewer, repository, each, isRead)))));
    }
    return entries;
  }

  private async entryOf(
    viewer: Viewer,
    repository: RepositoryRef,
    entry: ShownDescriptor,
    isRead: boolean,
  ): Promise<PlatformEntry> {
    const { digest, platform, told } = entry;
    const document = isRead ? await this.documents.findManifest(viewer, repository, digest, largestEntry) : undefined;
    await this.turns.next();
    const manifest = document?.body && readShownManifest(document.body, document.mediaType);
    const version = platform?.osVersion === undefined ? '' : ` ${platform.osVersion}`;
    return {
      digest,
      platform: platform && isImage(entry) ? platformText(platform) + version : '',
      kind: manifest?.kind,
      size: manifest?.size,
      isStored: document !== undefined,
      of: told.referenceDigest,
    };
  }

  private async configOf(
    viewer: Viewer,
    repository: RepositoryRef,
    manifest: ShownManifest | undefined,
  ): Promise<Pick<ImageView, 'config' | 'chart' | 'layers'>> {
    const kind = manifest?.kind.kind;
    const descriptor = kind === 'image' || kind === 'chart' ? manifest?.config : undefined;
    const bytes = descriptor && (await this.documents.findBlob(viewer, repository, descriptor.digest));
    await this.turns.next();
    const config = bytes && kind === 'image' ? readImageConfig(bytes) : undefined;
    const chart = bytes && kind === 'chart' ? readChart(bytes) : undefined;
    return { config, chart, layers: layersOf(manifest, config) };
  }
}

/** Steps of the history and layers side by side; where they do not agree, the layers alone. */
function layersOf(manifest: ShownManifest | undefined, config: ShownConfig | undefined): LayerRow[] {
  const layers = manifest?.layers ?? [];
  const history = config?.history ?? [];
  const alone = layers.map((layer) => ({ layer, command: undefined, created: undefined }));
  if (history.filter(({ isEmpty }) => !isEmpty).length !== layers.length) return alone;
  const rest = [...layers];
  return history.map(({ command, comment, created, isEmpty }) => {
    return { layer: isEmpty ? undefined : rest.shift(), command: command ?? comment, created };
  });
}

function problemOf(document: StoredDocument | undefined): ImageView['problem'] {
  if (!document) return 'not stored';
  return document.size > maxShownBytes ? 'too large' : 'unreadable';
}
