import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { randomUUID } from 'node:crypto';
import { atMost } from '../../../config/memory/at-most.js';
import { Clock } from '../../../config/clock/clock.js';
import { ClockJumps } from '../../../config/clock/clock.jumps.js';
import { ServerSettings } from '../../../config/server.settings.js';
import { parseOrigin } from '../../../config/values/origin.js';
import { LeaseStore, type Lease, type NewestLease } from '../../../storage/stores/lease.store.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { PeerClient, type PeerRequest } from '../../../upstream/transport/peer.client.js';
import { reasonOf } from '../../response-error.js';
import { HeldLease } from './held.lease.js';

/** Milliseconds of clock skew to tolerate between replicas. */
const tolerance = 3_000;
/** Milliseconds after which an unrenewed lease is removed, and between two sweeps. */
const orphanAge = 3_600_000;
const sweepInterval = 3_600_000;
/** Milliseconds between two reads of the lease of a replica that has not responded. */
const watchInterval = 1_000;
/** Milliseconds until an unreachable replica is tried again, and the number of unreachable replicas remembered. */
const unreachableTime = 30_000;
const maxUnreachable = 100;

/** The other replicas on the same storage, as known from their leases. */
@Injectable()
export class ReplicasService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Replicas');
  /** Unique to this process. */
  private readonly id = randomUUID();
  private readonly url: string | undefined;
  private readonly unreachable = new LRUCache<string, true>({ ...atMost(maxUnreachable), ttl: unreachableTime });
  private readonly jumps: ClockJumps;
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly leases: LeaseStore,
    private readonly peers: PeerClient,
    settings: ServerSettings,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.url = settings.advertiseUrl && parseOrigin(settings.advertiseUrl);
    this.jumps = new ClockJumps(clock, () =>
      this.logger.warn('the system clock has jumped; leases of earlier processes are not removed for a day'),
    );
  }

  /** Whether downloads are shared with other replicas. */
  get isActive(): boolean {
    return this.url !== undefined && this.leases.isExclusive;
  }

  onApplicationBootstrap(): void {
    if (this.url === undefined) {
      this.logger.debug('replicas on the same storage each download for themselves: --advertise-url is not set');
    } else if (!this.isActive) {
      this.logger.warn(
        'replicas on the same storage each download for themselves: the storage has no conditional writes',
      );
    } else {
      this.logger.log(
        `downloads are shared with other replicas on the same storage, which reach this one at ${this.url}`,
      );
      this.reportNetworks();
      this.sweep();
      this.timer = setInterval(() => this.sweep(), sweepInterval).unref();
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }

  /** @param least an epoch that is known to have existed. */
  findNewest(leases: string, least?: number): Promise<NewestLease> {
    return this.leases.findNewest(leases, least);
  }

  /**
   * Takes an unused epoch. @param lifetime milliseconds
   * @returns undefined when another replica was first
   */
  async take(leases: string, epoch: number, lifetime: number): Promise<HeldLease | undefined> {
    const { id, url = '', clock } = this;
    const lease = { leases, epoch, holder: id, url, expiresAt: clock.now() + lifetime };
    return (await this.leases.create(lease)) ? new HeldLease(this.leases, lease, clock) : undefined;
  }

  /** Whether another replica, not known to be unreachable, still holds the lease. */
  isLive({ holder, expiresAt }: Lease): boolean {
    return holder !== this.id && !this.unreachable.has(holder) && this.clock.now() < expiresAt + tolerance;
  }

  /**
   * Opens a blob at the replica that downloads it. It gives up waiting when the lease expires.
   * @throws UpstreamError as `PeerClient.openBlob`
   */
  async openBlob(lease: Lease, request: Pick<PeerRequest, 'repository' | 'digest' | 'offset'>): Promise<BlobBody> {
    const expiry = new AbortController();
    const watch = setInterval(() => {
      this.leases
        .find(lease.leases, lease.epoch)
        // A released lease is gone; the response is about to arrive.
        .then((now) => {
          if (now && !this.isLive(now)) expiry.abort();
        })
        .catch((error: unknown) => this.logger.debug(`could not read ${lease.leases}: ${reasonOf(error)}`));
    }, watchInterval);
    try {
      return await this.peers.openBlob({ url: lease.url, follower: this.id, signal: expiry.signal, ...request });
    } finally {
      clearInterval(watch);
    }
  }

  /** Remembers that a replica is unreachable, so that other blobs do not wait for it. */
  noteUnreachable({ holder, url }: Lease, reason: string): void {
    if (!this.unreachable.has(holder)) this.logger.warn(`the replica at ${url} is unreachable: ${reason}`);
    this.unreachable.set(holder, true);
  }

  private reportNetworks(): void {
    const { networks } = this.peers;
    if (networks?.length === 0)
      this.logger.warn(
        'no replica is followed: this host has no private address; set --cluster-key or --peer-networks',
      );
    else if (networks) this.logger.log(`without --cluster-key, replicas are followed in ${networks.join(', ')} only`);
  }

  private sweep(): void {
    this.sweeping = this.sweeping
      // A lease that seems old may be held by another replica.
      .then(() => (this.jumps.areAgesTrusted() ? this.leases.sweep(orphanAge) : 0))
      .then((count) => {
        if (count > 0) this.logger.log(`removed ${count} leases of earlier processes`);
      })
      .catch((error: unknown) => this.logger.warn(`could not remove leases: ${reasonOf(error)}`));
  }
}
