import { Logger } from '@nestjs/common';
import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { ContentStore } from '../../../storage/stores/content.store.js';
import { keys } from '../../../storage/keys.js';
import type { Lease } from '../../../storage/stores/lease.store.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { reasonOf } from '../../response-error.js';
import type { Requester } from '../../requester.js';
import type { BlobSource } from '../downloads/download.js';
import type { HeldLease } from './held.lease.js';
import type { ReplicasService } from './replicas.service.js';

/** Milliseconds. */
const lifetime = 10_000;
const renewalInterval = 2_000;
/** Milliseconds to wait for another replica's commit, and between two looks for it. */
const commitPatience = 10_000;
const commitInterval = 100;
/** Leases that are looked at or tried before the upstream is asked without one. */
const maxAttempts = 5;

/** Another replica has stored the content since we looked: there is nothing to download. */
export class StoredMeanwhileError extends Error {
  override readonly name = 'StoredMeanwhileError';
}

/** What is to be downloaded. */
export interface SharedBlob {
  readonly repository: RepositoryRef;
  readonly digest: Digest;
  readonly upstream: BlobSource;
  /** A blob that a replica wants is downloaded here: who follows is never followed. */
  readonly requester: Requester;
}

/**
 * Where a download's bytes come from when several replicas share a storage: from the upstream for the one that has the
 * lease of the digest, from that one for the others. When what it opened breaks off, `open` is called again for the rest,
 * and takes the next epoch, whether the lease has expired or not: who stopped sending is of no use, whatever it holds.
 */
export class ReplicatedSource {
  private readonly logger = new Logger('Replicas');
  private readonly leases: string;
  private held: HeldLease | undefined;
  private following: Lease | undefined;
  /** No lease up to this epoch is followed any more. */
  private broken = 0;
  private hasLooked = false;

  constructor(
    private readonly replicas: ReplicasService,
    private readonly content: ContentStore,
    private readonly blob: SharedBlob,
  ) {
    this.leases = keys.blobLeases(blob.digest);
  }

  /** Whether the bytes come from another replica now. */
  get isFollowing(): boolean {
    return this.following !== undefined;
  }

  /** @throws UpstreamError; StoredMeanwhileError, the first time only. */
  async open(from?: Parameters<BlobSource>[0]): Promise<BlobBody> {
    try {
      const body = await this.findHolder(from);
      if (body) return body;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // Without leases it costs a download more, and the client waits for nothing.
      this.logger.warn(`${this.blob.digest.toString()} is downloaded without a lease: ${reasonOf(error)}`);
    }
    return this.blob.upstream(from);
  }

  /**
   * Whether another replica makes the content readable, so that it need not be committed here as well. Waits for that
   * for up to 10 s; clients have all of it meanwhile.
   * @param size bytes of the verified content.
   */
  async isKeptElsewhere(size: number): Promise<boolean> {
    if (!this.following && this.held?.isOvertaken !== true) return false;
    const end = performance.now() + commitPatience;
    for (;;) {
      if ((await this.content.findSize(this.blob.digest)) === size) return true;
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, commitInterval));
    }
  }

  /** Lets go of the lease. Never throws. */
  async close(): Promise<void> {
    await this.held?.release();
  }

  /** The replica to follow; undefined when the upstream is to be asked, with the lease if there could be one. */
  private async findHolder(from: Parameters<BlobSource>[0]): Promise<BlobBody | undefined> {
    if (this.following) this.broken = this.following.epoch;
    this.following = undefined;
    if (this.held?.isOvertaken === false) return undefined;
    await this.close();
    this.held = undefined;
    let seen = 0;
    let isLate = false;
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const { epoch, lease } = await this.replicas.findNewest(this.leases, seen);
      const isOther = lease !== undefined && epoch > this.broken && this.replicas.isLive(lease);
      isLate ||= isOther;
      if (isOther && this.blob.requester === 'client') {
        await this.look();
        const body = await this.follow(lease, from?.offset);
        if (body) return body;
      }
      this.held = await this.replicas.take(this.leases, epoch + 1, lifetime);
      this.held?.keep(renewalInterval, lifetime);
      if (this.held) {
        // Holders that were tried in vain have cost time in which somebody else may have finished.
        if (isLate && from === undefined) this.hasLooked = false;
        await this.look();
        return undefined;
      }
      // It would only follow who was quicker.
      if (this.blob.requester === 'replica') return undefined;
      seen = epoch + 1;
    }
    return undefined;
  }

  /** Between a look at the storage and one at the leases somebody may have finished. @throws StoredMeanwhileError */
  private async look(): Promise<void> {
    if (this.hasLooked) return;
    this.hasLooked = true;
    if ((await this.content.findSize(this.blob.digest)) !== undefined) {
      throw new StoredMeanwhileError('another replica has stored it');
    }
  }

  /** @throws UpstreamError that the upstream has given the other replica, which is as good as given to us. */
  private async follow(lease: Lease, offset: number | undefined): Promise<BlobBody | undefined> {
    const { repository, digest } = this.blob;
    this.following = lease;
    try {
      return await this.replicas.openBlob(lease, { repository, digest, offset });
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.isDefinitive || error.kind === 'rate-limited') throw error;
      this.logger.debug(`${digest.toString()} is not to be had from ${lease.url}: ${error.message}`);
      // One that answers may be right about other blobs.
      if (error.kind !== 'wrong') this.replicas.noteUnreachable(lease);
      this.broken = lease.epoch;
      this.following = undefined;
      return undefined;
    }
  }
}
