import { Injectable } from '@nestjs/common';
import type { Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import { LeaseLock } from './lease.lock.js';

/** Lets one write of a tag happen after another: in this process always, in all of them where a condition is checked. */
@Injectable()
export class TagLock {
  private readonly running = new Map<string, Promise<unknown>>();

  constructor(private readonly shared: LeaseLock) {}

  /** @param isConditional the action depends on what the tag is. @throws OciError UNAVAILABLE when others hold it too long */
  async run<T>(repository: RepositoryRef, tag: Tag, isConditional: boolean, action: () => Promise<T>): Promise<T> {
    const key = `${repository.toString()}:${tag.name}`;
    const isShared = isConditional && this.shared.isNeeded;
    const before = this.running.get(key) ?? Promise.resolve();
    const started = before
      .catch(() => undefined)
      .then(() => (isShared ? this.shared.run(keys.tagLeases(repository, tag), action) : action()));
    this.running.set(key, started);
    try {
      return await started;
    } finally {
      if (this.running.get(key) === started) this.running.delete(key);
    }
  }
}
