import { Logger } from '@nestjs/common';
import type { Clock } from '../../../config/clock/clock.js';
import type { Lease, LeaseStore } from '../../../storage/stores/lease.store.js';
import { reasonOf } from '../../response-error.js';

/** A lease that this process holds. The caller releases it. */
export class HeldLease {
  private readonly logger = new Logger('Replicas');
  private timer: NodeJS.Timeout | undefined;
  private renewing: Promise<void> = Promise.resolve();
  private isOver = false;
  private superseded = false;

  constructor(
    private readonly store: LeaseStore,
    private readonly lease: Lease,
    private readonly clock: Clock,
  ) {}

  /** Whether another replica has taken the next epoch. Work is then done twice, which is harmless. */
  get isSuperseded(): boolean {
    return this.superseded;
  }

  /** Renews it until it is released or superseded. Both parameters are in milliseconds. */
  keep(interval: number, lifetime: number): void {
    this.timer = setTimeout(() => {
      this.renewing = this.renew(lifetime).then(() => {
        if (!this.isOver && !this.superseded) this.keep(interval, lifetime);
      });
    }, interval);
  }

  /** Never throws: a lease that remains expires. */
  async release(): Promise<void> {
    this.isOver = true;
    clearTimeout(this.timer);
    // A renewal written after the release would restore the lease.
    await this.renewing;
    await this.store.release(this.lease).catch((error: unknown) => this.report('release', error));
  }

  private async renew(lifetime: number): Promise<void> {
    const { leases, epoch } = this.lease;
    try {
      this.superseded = (await this.store.findNewest(leases)).epoch > epoch;
      if (this.isOver || this.superseded) return;
      await this.store.renew({ ...this.lease, expiresAt: this.clock.now() + lifetime });
    } catch (error) {
      this.report('renew', error);
    }
  }

  private report(what: string, error: unknown): void {
    this.logger.warn(`could not ${what} the lease ${this.lease.leases}: ${reasonOf(error)}`);
  }
}
