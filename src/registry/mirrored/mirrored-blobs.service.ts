import { Injectable, Logger } from '@nestjs/common';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { Origin } from '../../storage/stores/origin.store.js';
import { ContentStore, type BlobRecord } from '../../storage/stores/content.store.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { OriginService, type Claim } from './origin.service.js';
import { OutageAgreement } from './outage.agreement.js';
import { PermissionService } from './permission.service.js';
import { RefusedContent } from './refused.content.js';
import type { BlobRequest, OpenBlob, SizedHead } from '../blob.js';
import { counted, unchanged } from '../validity-check.js';
import { reasonOf, toResponseError } from '../response-error.js';
import { within } from './deadline.js';
import type { Download } from './downloads/download.js';
import { DownloadsService } from './downloads/downloads.service.js';
import { UsesService } from '../eviction/uses.service.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { StoredMeanwhileError } from './replicas/replicated.source.js';
import { SingleFlight } from '../reading/single-flight.js';
import { MountSources } from '../reading/mount.sources.js';
import { StoredBlobs } from '../reading/stored-blobs.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';
import { DistantRanges } from './ranges/distant.ranges.js';

/** Milliseconds to wait for all of a small blob before the response headers are sent. */
const smallBlobPatience = 1_000;

/** Blobs of mirrored repositories: from the store, from a running download, or from the upstream. */
@Injectable()
export class MirroredBlobsService {
  private readonly logger = new Logger('Blobs');
  private readonly agreements = new SingleFlight<Claim>();
  private readonly sizes = new SingleFlight<number>();

  constructor(
    private readonly content: ContentStore,
    private readonly stored: StoredBlobs,
    private readonly downloads: DownloadsService,
    private readonly ranges: DistantRanges,
    private readonly upstream: UpstreamClient,
    private readonly refusals: NegativeCache,
    private readonly permissions: PermissionService,
    private readonly origins: OriginService,
    private readonly outages: OutageAgreement,
    private readonly refused: RefusedContent,
    private readonly uses: UsesService,
    private readonly mounts: MountSources,
    private readonly traffic: TrafficCounts,
  ) {}

  /** Describes a blob, without downloading it unless nothing else tells its size. @throws OciError */
  head(repository: RepositoryRef, digest: Digest): Promise<SizedHead> {
    return this.responding(this.findHead(repository, digest));
  }

  /** @throws OciError before the first byte */
  async open(request: BlobRequest): Promise<OpenBlob> {
    const { repository } = request;
    const opening = this.openAny(request);
    try {
      const blob = await this.responding(opening);
      const { blobs } = this.traffic.of(repository.namespace.toString());
      blobs[blob.cache] += 1;
      return blob.validity ? { ...blob, validity: counted(blob.validity, blobs) } : blob;
    } catch (error) {
      // It may still open after the deadline.
      opening.then((blob) => blob.close()).catch(() => undefined);
      throw error;
    }
  }

  /** Whether the blob is being downloaded, or being committed after that. */
  isDownloading(repository: RepositoryRef, digest: Digest): boolean {
    return this.downloads.isRunning(repository, digest);
  }

  /** Size of a stored blob that the repository may serve now, for mounting it elsewhere; the upstream is not asked for it. */
  async findStored(repository: RepositoryRef, digest: Digest): Promise<number | undefined> {
    const record = await this.responding(this.findRecord(repository, digest));
    const size = record && (await this.content.findSize(digest));
    return size === record?.size ? size : undefined;
  }

  private async findHead(repository: RepositoryRef, digest: Digest): Promise<SizedHead> {
    const record = await this.findRecord(repository, digest);
    const size = record && (await this.content.findSize(digest));
    if (size !== undefined && size === record?.size) {
      this.uses.blob(repository, digest);
      return { digest, size, cache: 'HIT' };
    }
    try {
      return { digest, size: await this.findAgreedSize(repository, digest), cache: 'MISS' };
    } catch (error) {
      const stored = await this.content.findSize(digest);
      if (stored === undefined || !(await this.outages.covers(error, repository, digest))) throw error;
      return { digest, size: stored, cache: 'STALE' };
    }
  }

  /** A HEAD is only a hint of the size: what is stored or being downloaded knows better, and 0 is no size. */
  private async findAgreedSize(repository: RepositoryRef, digest: Digest): Promise<number> {
    const running = this.downloads.find(repository, digest);
    if (running?.size !== undefined && running.isFor(repository)) return running.size;
    const claim = await this.agree(repository, digest);
    const origin = await this.findOrigin(repository, digest);
    if (origin && this.origins.isProven(repository, digest, origin, claim)) return origin.size;
    if (digest.isOfNothing) return 0;
    return claim.size ?? this.sizes.run(keyOf(repository, digest), () => this.learnSize(repository, digest));
  }

  /** A registry that sends the blob without its length makes a download of it. */
  private async learnSize(repository: RepositoryRef, digest: Digest): Promise<number> {
    const size = await this.upstream.findBlobSize(repository, digest);
    if (size !== undefined) return size;
    const blob = await this.openAny({ repository, digest, requester: 'client', range: undefined });
    try {
      let length = 0;
      if (blob.size !== undefined) return blob.size;
      await blob.copy({ offset: 0, length: Infinity }, (chunk) => {
        length += chunk.length;
        return Promise.resolve();
      });
      return length;
    } finally {
      await blob.close();
    }
  }

  private async openAny(request: BlobRequest): Promise<OpenBlob> {
    const { repository, digest, requester } = request;
    if (requester === 'replica' && this.downloads.isFollowing(repository, digest)) {
      throw new OciError('UNAVAILABLE', 'another replica is downloading it', { retryAfter: 1 });
    }
    return (
      this.join(request) ??
      (await this.openStored(repository, digest)) ??
      this.join(request) ??
      (await this.openAgreed(request)) ??
      (await this.ranges.openAlone(request)) ??
      this.openNew(request)
    );
  }

  /** A download may have begun meanwhile; if it is for another repository, the upstream must agree first. */
  private openNew(request: BlobRequest): Promise<OpenBlob> {
    const { repository, digest, requester } = request;
    const running = this.downloads.find(repository, digest);
    if (!running) return this.follow(this.downloads.start(repository, digest, requester), request);
    return running.isFor(repository) ? this.follow(running, request) : this.openAny(request);
  }

  private join(request: BlobRequest): Promise<OpenBlob> | undefined {
    const download = this.downloads.find(request.repository, request.digest);
    return download?.isFor(request.repository) === true ? this.follow(download, request) : undefined;
  }

  /** Stored content of a repository that is recorded to contain it: a digest is not a permission (P14). */
  private async openStored(repository: RepositoryRef, digest: Digest): Promise<OpenBlob | undefined> {
    const record = await this.findRecord(repository, digest);
    if (record === undefined) return undefined;
    const opened = await this.stored.open(digest, record.size, (bytes) => {
      const isKept = this.content.watch(repository, digest, record, bytes);
      return () => (isKept() && !this.permissions.isDue(repository, record) ? unchanged : undefined);
    });
    if (opened) this.uses.blob(repository, digest);
    return opened;
  }

  /** Content that is stored or being downloaded for another repository, once the upstream agrees. */
  private async openAgreed(request: BlobRequest): Promise<OpenBlob | undefined> {
    const { repository, digest } = request;
    const running = this.downloads.find(repository, digest);
    const isElsewhere = running !== undefined && !running.isFor(repository);
    if (!isElsewhere && !(await this.findOrigin(repository, digest))) return undefined;
    const claim = await this.agree(repository, digest).catch(async (error: unknown) => {
      if (await this.outages.covers(error, repository, digest)) return undefined;
      throw error;
    });
    if (!claim) return this.stored.openContent(digest, undefined, 'STALE');
    const download = this.downloads.find(repository, digest);
    if (download) {
      download.admit(repository);
      return this.follow(download, request);
    }
    const origin = await this.findOrigin(repository, digest);
    if (!origin || !this.origins.isProven(repository, digest, origin, claim)) return undefined;
    const stored = await this.stored.openContent(digest, origin.size, 'REVALIDATED');
    if (stored) {
      await this.link(repository, digest, origin);
      this.uses.blob(repository, digest);
    }
    return stored;
  }

  /** The origin of stored content about which the upstream can be believed. */
  private async findOrigin(repository: RepositoryRef, digest: Digest): Promise<Origin | undefined> {
    if ((await this.content.findSize(digest)) === undefined) return undefined;
    return this.origins.findUsable(repository, digest);
  }

  /** The record, unless the upstream revokes it when permission is rechecked. */
  private async findRecord(repository: RepositoryRef, digest: Digest): Promise<BlobRecord | undefined> {
    const record = await this.content.findLink(repository, digest);
    if (!record || !this.permissions.isDue(repository, record)) return record;
    await this.permissions.recheck(repository, {
      key: keyOf(repository, digest),
      find: () => this.content.rereadLink(repository, digest),
      ask: () => this.agree(repository, digest),
      keep: () => this.link(repository, digest, record),
      forget: () => this.content.unlink(repository, digest),
    });
    return record;
  }

  /** A record that cannot be written costs another upstream request later; this response is unaffected. */
  private async link(repository: RepositoryRef, digest: Digest, known: Pick<BlobRecord, 'size' | 'isPrivate'>) {
    await this.content
      .link(repository, digest, { size: known.size, ...this.permissions.permission(repository, known) })
      .catch((error: unknown) => {
        this.logger.warn(
          `could not record that ${repository.toString()} contains ${digest.toString()}: ${reasonOf(error)}`,
        );
      });
    await this.mounts.note(repository, digest);
  }

  private async follow(download: Download, request: BlobRequest): Promise<OpenBlob> {
    const follower = download.follow();
    const { digest } = follower;
    try {
      const part = await this.ranges.openAhead(request, download);
      if (part) {
        await follower.close();
        return part;
      }
      await follower.ready(smallBlobPatience);
    } catch (error) {
      await follower.close();
      if (error instanceof StoredMeanwhileError) return this.openAny(request);
      // A failure under another repository's credentials does not apply to this repository.
      if (!download.repository.equals(request.repository)) return this.openNew(request);
      throw error;
    }
    const { size } = follower;
    const copy: OpenBlob['copy'] = (range, sink, signal) => follower.copy(range, sink, signal);
    return { digest, size, cache: 'MISS', copy, close: () => follower.close() };
  }

  /** Asks the upstream, with the repository's credentials, whether it has the blob. */
  private agree(repository: RepositoryRef, digest: Digest): Promise<Claim> {
    const key = keyOf(repository, digest);
    const ask = () => this.refused.watch(repository, digest, () => this.upstream.headBlob(repository, digest));
    return this.agreements.run(key, () => this.refusals.guard(key, ask));
  }

  private async responding<T>(response: Promise<T>): Promise<T> {
    try {
      return await within(response);
    } catch (error) {
      throw toResponseError(error, 'BLOB_UNKNOWN');
    }
  }
}

function keyOf(repository: RepositoryRef, digest: Digest): string {
  return `blob ${repository.toString()} ${digest.toString()}`;
}
