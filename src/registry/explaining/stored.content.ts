import { Injectable } from '@nestjs/common';
import type { Digest } from '../../oci/digest.js';
import { JsonError } from '../../oci/json/json.js';
import { contentOf, type Entry, type ImageContent } from '../../oci/manifests/image-content.js';
import { platformText } from '../../oci/platform.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import type { ContentState, ExplainedContent, ExplainedImage } from './explanation.js';

/** Images of an index whose blobs are looked at. */
const maxImages = 20;
/** Blobs of one image that are looked at, and those that are missing of them that are named. */
const maxBlobs = 100;
const maxNamed = 5;
/** Bytes of the largest manifest that is read: one parse must not hold up other requests. */
const largest = 512 * 1024;
/** Concurrent looks at the storage. */
const concurrency = 16;

export const nothing: ExplainedContent = { images: [], isCut: false };

/** Which parts of an image are stored. Reads only, and records no use. */
@Injectable()
export class StoredContent {
  constructor(
    private readonly objects: StoredObjects,
    private readonly bodies: StoredManifests,
  ) {}

  /**
   * @param mediaType of the record; undefined where there is none. @param seesOthers as in `ExplainService.explain`
   * @throws StorageError; OciError UNAVAILABLE
   */
  async explain(
    repository: RepositoryRef,
    digest: Digest,
    mediaType: string | undefined,
    seesOthers: boolean,
  ): Promise<ExplainedContent> {
    const known = await this.stateOf(digest, keys.manifest(repository, digest));
    const state = known === 'elsewhere' && !seesOthers ? 'missing' : known;
    const manifest = { digest: digest.toString(), state, ...(mediaType !== undefined && { mediaType }) };
    // Knowing a digest is no permission: what only other repositories have is not read.
    const content = state === 'stored' ? await this.read(digest, mediaType ?? '') : undefined;
    if (content === 'too large') return { manifest, images: [], isCut: true };
    if (!content) return { ...nothing, manifest };
    if ('blobs' in content) {
      const image = await this.imageOf(repository, digest, state, content.blobs, undefined);
      return { manifest, images: [image], isCut: content.blobs.length > maxBlobs };
    }
    const images: ExplainedImage[] = [];
    for (const child of content.manifests.slice(0, maxImages))
      images.push(await this.childOf(repository, child, seesOthers));
    return { manifest, images, isCut: content.manifests.length > maxImages || images.some(isFull) };
  }

  private async stateOf(digest: Digest, record: string): Promise<ContentState> {
    const [content, known] = await Promise.all([this.objects.findContent(digest), this.objects.find(record)]);
    if (!content) return 'missing';
    return known ? 'stored' : 'elsewhere';
  }

  private async childOf(
    repository: RepositoryRef,
    { digest, platform }: Entry,
    seesOthers: boolean,
  ): Promise<ExplainedImage> {
    const known = await this.stateOf(digest, keys.manifest(repository, digest));
    const state = known === 'elsewhere' && !seesOthers ? 'missing' : known;
    const content = state === 'stored' ? await this.read(digest, '') : undefined;
    const blobs = typeof content === 'object' && 'blobs' in content ? content.blobs : [];
    return this.imageOf(repository, digest, state, blobs, platform && platformText(platform));
  }

  private async imageOf(
    repository: RepositoryRef,
    digest: Digest,
    state: ContentState,
    entries: readonly Entry[],
    platform: string | undefined,
  ): Promise<ExplainedImage> {
    const blobs = entries.slice(0, maxBlobs);
    const states: ContentState[] = [];
    for (let first = 0; first < blobs.length; first += concurrency) {
      const some = blobs.slice(first, first + concurrency);
      states.push(
        ...(await Promise.all(some.map((each) => this.stateOf(each.digest, keys.blob(repository, each.digest))))),
      );
    }
    const isStored = (_: Entry, index: number) => states[index] === 'stored';
    const stored = blobs.filter(isStored);
    const missing = blobs.filter((each, index) => !isStored(each, index)).map((each) => each.digest.toString());
    return {
      digest: digest.toString(),
      ...(platform !== undefined && { platform }),
      state,
      blobs: blobs.length,
      storedBlobs: stored.length,
      bytes: bytesOf(blobs),
      storedBytes: bytesOf(stored),
      missing: missing.slice(0, maxNamed),
    };
  }

  /** Undefined for what names nothing, and for what cannot be read. */
  private async read(digest: Digest, mediaType: string): Promise<ImageContent | 'too large' | undefined> {
    const stored = await this.objects.findContent(digest);
    if (stored && stored.size > largest) return 'too large';
    const body = await this.bodies.find(digest, largest);
    if (!body) return undefined;
    try {
      const content = contentOf(body, mediaType);
      // Without a record its type is not known: only an index lists manifests.
      if ('blobs' in content && content.blobs.length === 0) return contentOf(body, indexType);
      return content;
    } catch (error) {
      if (error instanceof JsonError) return undefined;
      throw error;
    }
  }
}

const indexType = 'application/vnd.oci.image.index.v1+json';

function isFull({ blobs }: ExplainedImage): boolean {
  return blobs === maxBlobs;
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
