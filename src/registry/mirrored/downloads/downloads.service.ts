import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ContentHashes } from '../../../config/hashing/content-hashes.js';
import { ServerSettings } from '../../../config/server.settings.js';
import type { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { Requester } from '../../blob.js';
import { ContentStore } from '../../../storage/stores/content.store.js';
import { UpstreamClient } from '../../../upstream/upstream.client.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import type { Upstream } from '../../../upstream/upstream.js';
import { OriginService } from '../origin.service.js';
import { PermissionService } from '../permission.service.js';
import { MountSources } from '../../reading/mount.sources.js';
import { reasonOf } from '../../response-error.js';
import { NegativeCache } from '../freshness/negative.cache.js';
import { ReplicatedSource, StoredMeanwhileError } from '../replicas/replicated.source.js';
import { ReplicasService } from '../replicas/replicas.service.js';
import { Download, type BlobSource } from './download.js';
import { RunningDownloads } from './running.downloads.js';
import { Slots, type Occupant } from './slots.js';

/** Queued downloads of one upstream per slot; more are refused. */
const maxWaiting = 16;
/** As many upstreams may queue as much; of all others then one download each. */
const maxFullQueues = 4;
/** Milliseconds between two looks for a connection of the upstream that could become free. */
const lookInterval = 500;

/** Milliseconds for storing what has been received when the server shuts down: a storage may hang. */
const shutdownPatience = 5_000;

/** Finished downloads by outcome. */
export interface DownloadCounts {
  kept: number;
  /** Sent to clients, but not stored because the storage failed. */
  passed: number;
  failed: number;
}

/**
 * All downloads of this process, at most one per digest and upstream (P3). Upstreams never share one: unverified bytes
 * of one would reach clients of another, and a slow one would hold up a fast one.
 */
@Injectable()
export class DownloadsService implements OnApplicationShutdown {
  private readonly logger = new Logger(DownloadsService.name);
  private readonly downloads = new RunningDownloads();
  /** How the downloads are shared with other replicas. */
  private readonly sources = new WeakMap<Download, ReplicatedSource>();
  private readonly running = new Set<Promise<void>>();
  private readonly slots: Slots;
  private readonly hashes: ContentHashes;
  private readonly limit: number;
  private readonly maxSize: number | undefined;
  readonly counts: DownloadCounts = { kept: 0, passed: 0, failed: 0 };

  constructor(
    private readonly upstream: UpstreamClient,
    private readonly origins: OriginService,
    private readonly content: ContentStore,
    private readonly refusals: NegativeCache,
    private readonly permissions: PermissionService,
    private readonly replicas: ReplicasService,
    private readonly mounts: MountSources,
    settings: ServerSettings,
  ) {
    this.slots = new Slots(settings.maxDownloads, settings.minDownloadRate);
    this.hashes = new ContentHashes(settings.workers);
    this.limit = settings.maxDownloads * maxWaiting;
    this.maxSize = settings.maxBlobSize;
  }

  /** Running and queued downloads. */
  get count(): number {
    return this.running.size;
  }

  /** Queued downloads. */
  get waiting(): number {
    return this.slots.waiting;
  }

  /** Running and queued downloads that clients can join. */
  get all(): Iterable<Download> {
    return this.downloads;
  }

  /** The download from the repository's upstream that a new client can join. @throws UpstreamError `refused` */
  find(repository: RepositoryRef, digest: Digest): Download | undefined {
    const download = this.downloads.find(this.origins.identityOf(repository), digest);
    return download?.isJoinable === true ? download : undefined;
  }

  /** Whether the blob is being downloaded from the repository's upstream, or committed. */
  isRunning(repository: RepositoryRef, digest: Digest): boolean {
    return this.downloads.find(this.origins.identityOf(repository), digest) !== undefined;
  }

  /** Whether the content is being downloaded from any upstream, or committed. */
  isHeld(digest: Digest): boolean {
    return this.downloads.has(digest);
  }

  /** Whether a download receives its bytes from another replica. */
  isFollowing(repository: RepositoryRef, digest: Digest): boolean {
    const download = this.downloads.find(this.origins.identityOf(repository), digest);
    return download !== undefined && this.sources.get(download)?.isFollowing === true;
  }

  /**
   * Starts a download. Call it after `find`, without an await in between.
   * @param requester for a replica, it is always downloaded from the upstream.
   * @throws OciError UNAVAILABLE when too many downloads are queued.
   */
  start(repository: RepositoryRef, digest: Digest, requester: Requester = 'client'): Download {
    const origin = this.origins.identityOf(repository);
    const queued = this.slots.waitingOf(origin);
    // No upstream fills the queue: one with nothing in it is always admitted.
    if (queued >= this.limit || (queued > 0 && this.slots.waiting >= this.limit * maxFullQueues)) {
      throw new OciError('UNAVAILABLE', 'too many downloads are waiting', { retryAfter: 5 });
    }
    const own = this.upstream.upstreamOf(repository);
    const upstream: BlobSource = (from) => this.openAtUpstream(repository, digest, own, from);
    const shared = this.replicas.isActive
      ? new ReplicatedSource(this.replicas, this.content, {
          ...{ origin, repository, digest, upstream, requester },
          // Content of another upstream is of no use: this one has to send it first.
          isUsable: () => this.origins.isSentBy(repository, digest),
        })
      : undefined;
    const open: BlobSource = shared ? (from) => shared.open(from) : upstream;
    const key = `blob ${repository.toString()} ${digest.toString()}`;
    const source: BlobSource = (from) => (from ? open(from) : this.refusals.guard(key, open));
    const createIngest = (size?: number) =>
      this.content.createIngest(digest, { size, isTransient: shared?.isFollowing === true });
    const startHash = (algorithm: string, size?: number) => this.hashes.start(algorithm, size);
    const download = new Download(digest, repository, source, createIngest, this.maxSize, startHash);
    if (shared) this.sources.set(download, shared);
    this.downloads.add(origin, download);
    const running = this.execute(download, own).finally(() => this.running.delete(running));
    this.running.add(running);
    return download;
  }

  /** Waits until all downloads have ended. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const download of this.downloads) download.abort(new OciError('UNAVAILABLE', 'the server is shutting down'));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, shutdownPatience)));
    await Promise.race([this.idle(), late]).finally(() => clearTimeout(timer));
    await this.hashes.close();
  }

  /** Downloads that nobody wants any more also make room among the connections of their own upstream. */
  private async openAtUpstream(
    repository: RepositoryRef,
    digest: Digest,
    upstream: Upstream,
    from: Parameters<BlobSource>[0],
  ): Promise<BlobBody> {
    const timer = setInterval(() => {
      if (this.upstream.hasBlobsWaiting(upstream)) this.slots.yieldSlow(upstream.identity);
    }, lookInterval);
    try {
      return await this.upstream.openBlob(repository, digest, from, upstream);
    } finally {
      clearInterval(timer);
    }
  }

  private async execute(download: Download, upstream: Upstream): Promise<void> {
    const { digest } = download;
    const origin = upstream.identity;
    try {
      await this.slots.run(occupantOf(download, origin), () => download.run());
      const isKept = await this.keep(download, upstream);
      this.counts[isKept ? 'kept' : 'passed'] += 1;
    } catch (error) {
      this.counts.failed += 1;
      const isResponse =
        error instanceof StoredMeanwhileError || (error instanceof UpstreamError && error.kind !== 'wrong');
      // Before the first byte this is a failure of the upstream, whose state is logged when it changes.
      const level = isResponse && download.received === 0 ? 'debug' : 'warn';
      this.logger[level](`could not download ${digest.toString()}: ${reasonOf(error)}`);
    } finally {
      await this.sources.get(download)?.close();
      this.downloads.remove(origin, download);
      await download.end();
    }
  }

  /**
   * Commits the content, then writes the records of the admitted repositories; more may be admitted meanwhile.
   * @returns whether it was stored.
   */
  private async keep(download: Download, upstream: Upstream): Promise<boolean> {
    const { digest, verified, received, storageFailure } = download;
    const isStored = await this.isStored(download, this.sources.get(download));
    if (!isStored && verified === undefined) {
      this.logger.warn(
        `${digest.toString()} was passed through but not stored: ${storageFailure?.message ?? 'no storage'}`,
      );
      return false;
    }
    if (!isStored && verified) await this.content.commit(verified, digest);
    // With the settings that it began with: what required credentials stays private.
    const recorded = this.origins.record(download.repository, digest, received, upstream);
    await Promise.all([recorded, this.link(download, upstream)]);
    return true;
  }

  private async link({ digest, received, admitted }: Download, upstream: Upstream): Promise<void> {
    for (const repository of admitted) {
      const permission = this.permissions.permission(repository, undefined, upstream);
      await this.content.link(repository, digest, { size: received, ...permission });
      await this.mounts.note(repository, digest);
    }
  }

  /** Whether the content has been committed meanwhile: by a download from another upstream, or by another replica. */
  private async isStored({ digest, received }: Download, source?: ReplicatedSource): Promise<boolean> {
    return (await this.content.findSize(digest)) === received || (await source?.isKeptElsewhere(received)) === true;
  }
}

function occupantOf(download: Download, owner: string): Occupant {
  return {
    owner,
    get followers() {
      return download.followers;
    },
    get received() {
      return download.received;
    },
    giveWay: () =>
      download.abort(new OciError('UNAVAILABLE', 'the download was too slow while others waited', { retryAfter: 5 })),
  };
}
