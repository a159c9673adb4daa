import { Injectable, Logger } from '@nestjs/common';
import { StorageError } from '../../../storage/storage-error.js';
import { reasonOf } from '../../response-error.js';
import type { HeldLease } from './held.lease.js';
import { ReplicasService } from './replicas.service.js';

/** Milliseconds that a replica has for its question, and that others wait for its outcome. */
const lifetime = 2_000;
const patience = 1_000;
/** Milliseconds between two looks. */
const interval = 100;

/** A question to the upstream whose outcome is recorded. */
export interface Question<T> {
  readonly ask: () => Promise<T>;
  /** What another replica has found out by now, as the storage has it. @throws StorageError */
  readonly find: () => Promise<T | undefined>;
}

/** Lets one of the replicas ask the upstream, and the others have its answer from the storage. */
@Injectable()
export class RequestLock {
  private readonly logger = new Logger('Replicas');

  constructor(private readonly replicas: ReplicasService) {}

  /**
   * Looks at the record before it asks, without other replicas too: it may have been written while the caller looked.
   * @param leases `keys.tagLeases` or `keys.manifestLeases`
   * @throws what `ask` throws
   */
  async run<T>(leases: string, { ask, find }: Question<T>): Promise<T> {
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
      this.logger.debug(`the upstream is asked without ${leases}: ${reasonOf(error)}`);
    }
    return ask().finally(() => held?.release());
  }

  private async take(leases: string): Promise<HeldLease | undefined> {
    const { epoch, lease } = await this.replicas.findNewest(leases);
    return lease && this.replicas.isLive(lease) ? undefined : this.replicas.take(leases, epoch + 1, lifetime);
  }

  /** Until another replica has the answer, or has given up. */
  private async wait<T>(leases: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let waited = 0; waited < patience; waited += interval) {
      const { lease } = await this.replicas.findNewest(leases);
      const response = await find();
      if (response !== undefined || !lease) return response;
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
    return undefined;
  }
}
