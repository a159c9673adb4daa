import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { OciError } from '../../oci/error.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { BlobsService } from '../../registry/blobs.service.js';
import type { ManifestContent } from '../../registry/manifest.js';
import { ManifestsService } from '../../registry/manifests.service.js';
import { contentOf, type Entry } from '../../oci/manifests/image-content.js';
import { matchesPlatform, platformText, type Platform } from '../../oci/platform.js';
import { WarmProgress, type Report } from './warm.progress.js';
import type { WarmImage, WarmRequest } from './warm.request.js';

/** Blobs pulled concurrently for one request. */
const concurrency = 4;
/** Concurrent requests; more get 503 with Retry-After. */
const maxRuns = 4;
/** Depth of nested indexes. */
const maxDepth = 8;
/** Images of one index, nested ones included. */
const maxParts = 1_000;
/** Milliseconds between the last byte of a blob and its commit. */
const keepDeadline = 60_000;

/** An image of one platform. */
interface Part {
  readonly platform: string | undefined;
  readonly blobs: readonly Entry[];
}

/** Pulls images as a client would, so that they are stored when clients need them. */
@Injectable()
export class WarmService {
  private runs = 0;
  private readonly aborter = new AbortController();

  constructor(
    private readonly manifests: ManifestsService,
    private readonly blobs: BlobsService,
  ) {}

  /** Ends running requests and refuses further ones, because the process stops. */
  stop(): void {
    this.aborter.abort(new OciError('UNAVAILABLE', 'the server is shutting down'));
  }

  /** Takes one of the places for requests, which `warm` gives back. @throws OciError if none is free. */
  enter(): void {
    this.aborter.signal.throwIfAborted();
    if (this.runs >= maxRuns) {
      throw new OciError('UNAVAILABLE', `${maxRuns} warm requests are running already`, { retryAfter: 30 });
    }
    this.runs += 1;
  }

  /**
   * Pulls one image after the other; a failure is reported and does not stop the rest. Call `enter` before.
   * @throws the reason of `report` or of the signal when the client has left
   */
  async warm({ images, platforms }: WarmRequest, report: Report, connected: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([connected, this.aborter.signal]);
    try {
      for (const image of images) await this.warmImage(image, platforms, report, signal);
    } finally {
      this.runs -= 1;
    }
  }

  private async warmImage(
    { text, image }: WarmImage,
    platforms: readonly Platform[],
    report: Report,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      if (image instanceof OciError) throw image;
      const { repository, reference } = image;
      const missing = new Set(platforms);
      const parts = this.partsOf(repository, await this.get(repository, reference, signal), platforms, missing, signal);
      for await (const part of parts) await this.warmPart(text, repository, part, report, signal);
      for (const platform of missing) {
        const error = new OciError('MANIFEST_UNKNOWN', 'the index has no such platform');
        await report(new WarmProgress(text, platformText(platform), []).failed(error));
      }
    } catch (error) {
      signal.throwIfAborted();
      await report(new WarmProgress(text, undefined, []).failed(error));
    }
  }

  /** The requested images of an index and of its nested indexes. @param missing loses the platforms found */
  private async *partsOf(
    repository: RepositoryRef,
    root: ManifestContent,
    platforms: readonly Platform[],
    missing: Set<Platform>,
    signal: AbortSignal,
  ): AsyncGenerator<Part> {
    const waiting: { manifest: ManifestContent; platform?: Platform | undefined; depth: number }[] = [
      { manifest: root, depth: 0 },
    ];
    let count = 0;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { manifest, platform, depth } = next;
      const content = contentOf(manifest.body, manifest.mediaType);
      if ('blobs' in content) {
        // Clients pull a reference to a single image whatever the platform.
        if (depth === 0) missing.clear();
        yield { platform: platform && platformText(platform), blobs: content.blobs };
        continue;
      }
      if (depth === maxDepth) throw new OciError('MANIFEST_INVALID', `more than ${maxDepth} nested indexes`);
      for (const entry of content.manifests) {
        if (!isChosen(entry, platforms, missing)) continue;
        if ((count += 1) > maxParts) throw new OciError('MANIFEST_INVALID', `more than ${maxParts} images in an index`);
        const child = await this.get(repository, entry.digest, signal);
        waiting.push({ manifest: child, platform: entry.platform ?? platform, depth: depth + 1 });
      }
    }
  }

  private async warmPart(
    text: string,
    repository: RepositoryRef,
    { platform, blobs }: Part,
    report: Report,
    signal: AbortSignal,
  ): Promise<void> {
    const progress = new WarmProgress(text, platform, blobs);
    await report(progress.event('pulling'));
    const stop = progress.tick(report);
    try {
      await inParallel(blobs, concurrency, (entry) => this.pull(repository, entry, progress, signal));
    } catch (error) {
      await stop();
      signal.throwIfAborted();
      await report(progress.failed(error));
      return;
    }
    await stop();
    await report(progress.event('done'));
  }

  private get(repository: RepositoryRef, reference: Reference, signal: AbortSignal): Promise<ManifestContent> {
    signal.throwIfAborted();
    return this.manifests.get(repository, reference);
  }

  private async pull(
    repository: RepositoryRef,
    { digest }: Entry,
    progress: WarmProgress,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const blob = await this.blobs.open({ repository, digest, requester: 'client', range: undefined });
    const isStored = blob.cache !== 'MISS';
    try {
      if (!isStored) {
        const take = (chunk: Uint8Array) => {
          progress.add(chunk.length);
          return Promise.resolve();
        };
        await blob.copy({ offset: 0, length: blob.size ?? Infinity }, take, signal);
      }
    } finally {
      await blob.close();
    }
    if (isStored) progress.add(blob.size ?? 0);
    else await this.assertKept(repository, { digest, size: blob.size ?? 0 }, signal);
    progress.finish();
  }

  /** The commit follows the last byte, and never happens on a full storage. */
  private async assertKept(repository: RepositoryRef, { digest }: Entry, signal: AbortSignal): Promise<void> {
    const end = performance.now() + keepDeadline;
    while (this.blobs.isDownloading(repository, digest) && performance.now() < end)
      await sleep(10, undefined, { signal });
    const { cache } = await this.blobs.head(repository, digest);
    if (cache !== 'HIT') throw new OciError('UNAVAILABLE', 'a blob was passed through and could not be stored');
  }
}

function isChosen({ platform }: Entry, platforms: readonly Platform[], missing: Set<Platform>): boolean {
  if (platforms.length === 0) return true;
  // A nested index may have no platform of its own.
  if (!platform) return false;
  const matching = platforms.filter((wanted) => matchesPlatform(platform, wanted));
  for (const wanted of matching) missing.delete(wanted);
  return matching.length > 0;
}

/** @throws the first error, after everything started has ended */
async function inParallel<T>(items: readonly T[], limit: number, action: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const failures: unknown[] = [];
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await action(item);
      } catch (error) {
        failures.push(error);
        waiting.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  if (failures.length > 0) throw failures[0];
}
