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
import type { Requester } from '../../blob.js';
import type { BlobSource } from '../downloads/download.js';
import type { HeldLease } from './held.lease.js';
import type { ReplicasService } from './replicas.service.js';

/** Milliseconds. */
const lifetime = 10_000;
const renewalInterval = 2_000;
/** Milliseconds to wait for another replica's commit, and between two checks. */
const commitPatience = 10_000;
const commitInterval = 100;
/** Attempts to follow or take a lease before the upstream is asked without one. */
const maxAttempts = 5;

/** Another replica has stored the content meanwhile, so there is nothing to download. */
export class StoredMeanwhileError extends Error {
  override readonly name = 'StoredMeanwhileError';
}

export interface SharedBlob {
  /** Identity of the upstream: replicas that download from another one are not followed. */
  readonly origin: string;
  readonly repository: RepositoryRef;
  readonly digest: Digest;
  readonly upstream: BlobSource;
  /** Whether content that is stored may be served instead. */
  readonly isUsable: () => Promise<boolean>;
  /** A blob requested by a replica is downloaded here: a follower is never followed. */
  readonly requester: Requester;
}

/**
 * The source of a download when several replicas share a storage. The lease holder downloads from the upstream, and the
 * others follow the holder. After a cut, `open` is called again for the rest and takes the next epoch, even if the
 * lease has not expired: a holder that stopped sending is of no use.
 */
export class ReplicatedSource {
  private readonly logger = new Logger('Replicas');
  private readonly leases: string;
  private held: HeldLease | undefined;
  private following: Lease | undefined;
  /** Leases up to this epoch are not followed any more. */
  private broken = 0;
  private hasChecked = false;

  constructor(
    private readonly replicas: ReplicasService,
    private readonly content: ContentStore,
    private readonly blob: SharedBlob,
  ) {
    this.leases = keys.blobLeases(blob.origin, blob.digest);
  }

  /** Whether the bytes currently come from another replica. */
  get isFollowing(): boolean {
    return this.following !== undefined;
  }

  /** @throws UpstreamError; StoredMeanwhileError, on the first call only. */
  async open(from?: Parameters<BlobSource>[0]): Promise<BlobBody> {
    try {
      const body = await this.findHolder(from);
      if (body) return body;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // Without a lease it may be downloaded twice, but the client need not wait.
      this.logger.warn(`${this.blob.digest.toString()} is downloaded without a lease: ${reasonOf(error)}`);
    }
    return this.blob.upstream(from);
  }

  /**
   * Whether another replica commits the content, so that this one need not. It waits for that for up to 10 s; clients
   * have received everything by then.
   * @param size bytes of the verified content.
   */
  async isKeptElsewhere(size: number): Promise<boolean> {
    if (!this.following && this.held?.isSuperseded !== true) return false;
    const end = performance.now() + commitPatience;
    for (;;) {
      if ((await this.content.findSize(this.blob.digest)) === size) return true;
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, commitInterval));
    }
  }

  /** Releases the lease. Never throws. */
  async close(): Promise<void> {
    await this.held?.release();
  }

  /** The body from the replica to follow; undefined to ask the upstream, with a lease if one could be taken. */
  private async findHolder(from: Parameters<BlobSource>[0]): Promise<BlobBody | undefined> {
    if (this.following) this.broken = this.following.epoch;
    this.following = undefined;
    if (this.held?.isSuperseded === false) return undefined;
    await this.close();
    this.held = undefined;
    let seen = 0;
    let hasTried = false;
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const { epoch, lease } = await this.replicas.findNewest(this.leases, seen);
      const isOther = lease !== undefined && epoch > this.broken && this.replicas.isLive(lease);
      hasTried ||= isOther;
      if (isOther && this.blob.requester === 'client') {
        await this.assertNotStored();
        const body = await this.follow(lease, from?.offset);
        if (body) return body;
      }
      this.held = await this.replicas.take(this.leases, epoch + 1, lifetime);
      this.held?.keep(renewalInterval, lifetime);
      if (this.held) {
        // Another replica may have finished while other holders were tried in vain.
        if (hasTried && from === undefined) this.hasChecked = false;
        await this.assertNotStored();
        return undefined;
      }
      // Without the lease it would have to follow the replica that took it.
      if (this.blob.requester === 'replica') return undefined;
      seen = epoch + 1;
    }
    return undefined;
  }

  /** Another replica may have finished between reading the storage and the leases. @throws StoredMeanwhileError */
  private async assertNotStored(): Promise<void> {
    if (this.hasChecked) return;
    this.hasChecked = true;
    if ((await this.content.findSize(this.blob.digest)) !== undefined && (await this.blob.isUsable())) {
      throw new StoredMeanwhileError('another replica has stored it');
    }
  }

  /** @throws UpstreamError the upstream's refusal, as passed on by the other replica. */
  private async follow(lease: Lease, offset: number | undefined): Promise<BlobBody | undefined> {
    const { repository, digest } = this.blob;
    this.following = lease;
    try {
      return await this.replicas.openBlob(lease, { repository, digest, offset });
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.isDefinitive || error.kind === 'rate-limited') throw error;
      this.logger.debug(`could not follow ${digest.toString()} at ${lease.url}: ${error.message}`);
      // A replica that responds may be able to serve other blobs.
      if (error.kind !== 'wrong') this.replicas.noteUnreachable(lease, error.message);
      this.broken = lease.epoch;
      this.following = undefined;
      return undefined;
    }
  }
}
