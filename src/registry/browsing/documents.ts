import { Injectable } from '@nestjs/common';
import { Semaphore } from '../../config/concurrency/semaphore.js';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { maxShownBytes } from '../../oci/manifests/shown-manifest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { StoredContent, type BrowsedManifest } from './stored.content.js';
import type { Viewer } from './viewer.js';

/** Documents that are read for pages at one time, and that wait. */
const concurrency = 8;
const mostWaiting = 1_000;

export interface StoredDocument extends BrowsedManifest {
  /** Undefined when it is larger than what is asked for, absent or damaged. */
  readonly body: Buffer | undefined;
}

/** Manifests and small blobs of repositories, whole and verified, as far as a viewer may see them. */
@Injectable()
export class BrowsedDocuments {
  private readonly readers = new Semaphore(concurrency);

  constructor(
    private readonly content: StoredContent,
    private readonly bodies: StoredManifests,
    private readonly blobs: ContentStore,
  ) {}

  /** @param limit bytes of the largest that is read. @throws StorageError, OciError UNAVAILABLE */
  async findManifest(
    viewer: Viewer,
    repository: RepositoryRef,
    digest: Digest,
    limit = maxShownBytes,
  ): Promise<StoredDocument | undefined> {
    const record = await this.content.findManifest(viewer, repository, digest);
    if (!record) return undefined;
    const { mediaType, size } = record;
    const body = size > limit ? undefined : await this.read(() => this.bodies.find(digest, size));
    return { mediaType, size, body };
  }

  /** @throws StorageError, OciError UNAVAILABLE */
  async findBlob(viewer: Viewer, repository: RepositoryRef, digest: Digest): Promise<Uint8Array | undefined> {
    const record = await this.content.findBlob(viewer, repository, digest);
    if (!record || record.size > maxShownBytes) return undefined;
    return this.read(
      async () => (await this.blobs.findSmall(digest, record.size)) ?? this.readLarge(digest, record.size),
    );
  }

  private async readLarge(digest: Digest, size: number): Promise<Uint8Array | undefined> {
    const stored = await this.blobs.open(digest);
    if (!stored) return undefined;
    try {
      if (stored.size !== size) return undefined;
      const bytes = Buffer.allocUnsafe(size);
      let filled = 0;
      await stored.copy({ offset: 0, length: size }, (chunk) => {
        bytes.set(chunk, filled);
        filled += chunk.length;
        return Promise.resolve();
      });
      return Digest.of(bytes, digest.algorithm).equals(digest) ? bytes : undefined;
    } finally {
      await stored.close();
    }
  }

  private read<T>(action: () => Promise<T>): Promise<T> {
    if (this.readers.count >= mostWaiting)
      throw new OciError('UNAVAILABLE', 'too many pages are being made', { retryAfter: 5 });
    return this.readers.run(action);
  }
}
