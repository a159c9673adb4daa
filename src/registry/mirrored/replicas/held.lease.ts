import { Logger } from '@nestjs/common';
import type { Clock } from '../../../config/clock/clock.js';
import type { Lease, LeaseStore } from '../../../storage/stores/lease.store.js';
import { reasonOf } from '../../response-error.js';

/** A lease of this process. Whoever has it releases it. */
export class HeldLease {
  private readonly logger = new Logger('Replicas');
  private timer: NodeJS.Timeout | undefined;
  private renewing: Promise<void> = Promise.resolve();
  private isOver = false;
  private overtaken = false;

  constructor(
    private readonly store: LeaseStore,
    private readonly lease: Lease,
    private readonly clock: Clock,
  ) {}

  /** Whether another replica has taken the next epoch: what we do then is done twice, and no harm comes of it. */
  get isOvertaken(): boolean {
    return this.overtaken;
  }

  /** Renews it until it is released or overtaken. Both in milliseconds. */
  keep(interval: number, lifetime: number): void {
    this.timer = setTimeout(() => {
      this.renewing = this.renew(lifetime).then(() => {
        if (!this.isOver && !this.overtaken) this.keep(interval, lifetime);
      });
    }, interval);
  }

  /** Never throws: a lease that stays expires. */
  async release(): Promise<void> {
    this.isOver = true;
    clearTimeout(this.timer);
    // A renewal that is written after the release would bring the lease back.
    await this.renewing;
    await this.store.release(this.lease).catch((error: unknown) => this.report('released', error));
  }

  private async renew(lifetime: number): Promise<void> {
    const { leases, epoch } = this.lease;
    try {
      this.overtaken = (await this.store.findNewest(leases)).epoch > epoch;
      if (this.isOver || this.overtaken) return;
      await this.store.renew({ ...this.lease, expiresAt: this.clock.now() + lifetime });
    } catch (error) {
      this.report('renewed', error);
    }
  }

  private report(what: string, error: unknown): void {
    this.logger.warn(`${this.lease.leases} was not ${what}: ${reasonOf(error)}`);
  }
}
