import { Injectable } from '@nestjs/common';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import { LeaseLock } from './lease.lock.js';

/**
 * Keeps a record from being removed as garbage by one process while another takes it into use: the first looks at its age
 * after it has taken the lock, the other looks for the lock after it has renewed the record.
 */
@Injectable()
export class GarbageLock {
  private readonly running = new Map<string, Promise<unknown>>();

  constructor(private readonly shared: LeaseLock) {}

  /** @param action decides about and removes a few records, while there is time. @throws OciError UNAVAILABLE */
  async run(repository: RepositoryRef, action: (hasTime: () => boolean) => Promise<void>): Promise<void> {
    const key = repository.toString();
    const before = this.running.get(key) ?? Promise.resolve();
    const started = before.catch(() => undefined).then(() => this.act(repository, action));
    this.running.set(key, started);
    try {
      await started;
    } finally {
      if (this.running.get(key) === started) this.running.delete(key);
    }
  }

  /** Waits until records that were being removed at the time of this call have been. */
  async settled(repository: RepositoryRef): Promise<void> {
    await this.running.get(repository.toString())?.catch(() => undefined);
    if (this.shared.isNeeded) await this.shared.settled(keys.garbageLeases(repository));
  }

  private act(repository: RepositoryRef, action: (hasTime: () => boolean) => Promise<void>): Promise<void> {
    return this.shared.isNeeded ? this.shared.run(keys.garbageLeases(repository), action) : action(() => true);
  }
}
