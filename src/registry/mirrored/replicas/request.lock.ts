import { Injectable, Logger } from '@nestjs/common';
import { StorageError } from '../../../storage/storage-error.js';
import { reasonOf } from '../../response-error.js';
import type { HeldLease } from './held.lease.js';
import { ReplicasService } from './replicas.service.js';

/** Milliseconds that a replica has for its request, and that the others wait for the result. */
const lifetime = 2_000;
const patience = 1_000;
/** Milliseconds between two checks. */
const interval = 100;

/** An upstream request whose result is recorded. */
export interface LockedRequest<T> {
  readonly ask: () => Promise<T>;
  /** The result that another replica has recorded, if any. @throws StorageError */
  readonly find: () => Promise<T | undefined>;
}

/** Lets one replica send an upstream request; the others read its result from the storage. */
@Injectable()
export class RequestLock {
  private readonly logger = new Logger('Replicas');

  constructor(private readonly replicas: ReplicasService) {}

  /**
   * Reads the record before it asks, even without other replicas: it may have been written meanwhile.
   * @param leases `keys.tagLeases` or `keys.manifestLeases`
   * @throws what `ask` throws
   */
  async run<T>(leases: string, { ask, find }: LockedRequest<T>): Promise<T> {
    let held: HeldLease | undefined;
    try {
      let known = await find();
      if (known === undefined && this.replicas.isActive) {
        held = await this.take(leases);
        known = held ? await find() : await this.wait(leases, find);
      }
      if (known !== undefined) {
        await held?.release();
        return known;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.logger.debug(`the upstream is asked without the lock ${leases}: ${reasonOf(error)}`);
    }
    return ask().finally(() => held?.release());
  }

  private async take(leases: string): Promise<HeldLease | undefined> {
    const { epoch, lease } = await this.replicas.findNewest(leases);
    return lease && this.replicas.isLive(lease) ? undefined : this.replicas.take(leases, epoch + 1, lifetime);
  }

  /** Waits until another replica has the result or has given up. */
  private async wait<T>(leases: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let waited = 0; waited < patience; waited += interval) {
      const { lease } = await this.replicas.findNewest(leases);
      const result = await find();
      if (result !== undefined || !lease) return result;
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
    return undefined;
  }
}
