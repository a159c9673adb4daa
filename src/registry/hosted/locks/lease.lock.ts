import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OciError } from '../../../oci/error.js';
import { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import { LeaseStore, type Lease } from '../../../storage/stores/lease.store.js';

/** Milliseconds that a holder has for its reads and writes. */
const leaseTime = 10_000;
/** Milliseconds at the end of a lease in which nothing more is begun. */
const margin = 3_000;
/** Milliseconds to wait for other holders. */
const patience = 20_000;
/** Milliseconds between two looks at another holder's lease. */
const pause = 50;
/** A lease names where its holder is; this one is never followed. */
const nowhere = 'http://127.0.0.1:1';

/** A lease that this process holds. */
export interface HeldLease {
  /** Whether enough time is left to begin something. */
  hasTime(): boolean;
  /** Never throws. */
  release(): Promise<void>;
}

/** Lets one process after another do something, by leases that the storage creates exclusively. */
@Injectable()
export class LeaseLock {
  private readonly holder = randomUUID();

  constructor(
    private readonly leases: LeaseStore,
    private readonly store: HostedStore,
  ) {}

  /** Whether other processes may write here, and the storage can tell who was first. */
  get isNeeded(): boolean {
    return !this.store.isCached && this.leases.isExclusive;
  }

  /** @param action has to stop when it is told that too little time is left. @throws OciError UNAVAILABLE */
  async run<T>(leases: string, action: (hasTime: () => boolean) => Promise<T>): Promise<T> {
    const lease = await this.take(leases);
    try {
      return await action(() => lease.hasTime());
    } finally {
      await lease.release();
    }
  }

  /** Waits until the present holder has ended; later ones begin after this call. */
  async settled(leases: string): Promise<void> {
    const { lease } = await this.leases.findNewest(leases);
    for (let current = lease; current && current.expiresAt > Date.now();) {
      await sleep(pause);
      current = await this.leases.find(leases, current.epoch);
    }
  }

  /** As `run`, for a holder that releases it. @throws OciError UNAVAILABLE */
  async take(leases: string): Promise<HeldLease> {
    const lease = await this.create(leases);
    return {
      hasTime: () => Date.now() < lease.expiresAt - margin,
      // An expired lease is as good as a released one.
      release: () => this.leases.release(lease).catch(() => undefined),
    };
  }

  private async create(leases: string): Promise<Lease> {
    const deadline = Date.now() + patience;
    while (Date.now() < deadline) {
      const { epoch, lease } = await this.leases.findNewest(leases);
      const isHeld = lease !== undefined && lease.expiresAt > Date.now();
      const own = { leases, epoch: epoch + 1, holder: this.holder, url: nowhere, expiresAt: Date.now() + leaseTime };
      if (!isHeld && (await this.leases.create(own))) return own;
      await sleep(pause);
    }
    throw new OciError('UNAVAILABLE', 'other requests hold the lease for too long', { retryAfter: 1 });
  }
}
