import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OciError } from '../../oci/error.js';
import type { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { LeaseStore } from '../../storage/stores/lease.store.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';

/** Milliseconds that a holder has for reading and writing a record. */
const leaseTime = 10_000;
/** Milliseconds to wait for another holder. */
const patience = 20_000;
/** Milliseconds between two looks at another holder's lease. */
const pause = 50;
/** A lease names where its holder is; this one is never followed. */
const nowhere = 'http://127.0.0.1:1';

/** Lets one write of a tag happen after another: in this process always, in all of them where a condition is checked. */
@Injectable()
export class TagLock {
  private readonly running = new Map<string, Promise<unknown>>();
  private readonly holder = randomUUID();

  constructor(
    private readonly leases: LeaseStore,
    private readonly store: HostedStore,
  ) {}

  /** @param isConditional the action depends on what the tag is. @throws OciError UNAVAILABLE when others hold it too long */
  async run<T>(repository: RepositoryRef, tag: Tag, isConditional: boolean, action: () => Promise<T>): Promise<T> {
    const key = `${repository.toString()}:${tag.name}`;
    const isShared = isConditional && !this.store.isCached && this.leases.isExclusive;
    const before = this.running.get(key) ?? Promise.resolve();
    const started = before
      .catch(() => undefined)
      .then(() => (isShared ? this.withLease(keys.tagLeases(repository, tag), action) : action()));
    this.running.set(key, started);
    try {
      return await started;
    } finally {
      if (this.running.get(key) === started) this.running.delete(key);
    }
  }

  private async withLease<T>(leases: string, action: () => Promise<T>): Promise<T> {
    const lease = await this.take(leases);
    try {
      return await action();
    } finally {
      // An expired lease is as good as a released one.
      await this.leases.release(lease).catch(() => undefined);
    }
  }

  private async take(leases: string): Promise<Parameters<LeaseStore['create']>[0]> {
    const deadline = Date.now() + patience;
    while (Date.now() < deadline) {
      const { epoch, lease } = await this.leases.findNewest(leases);
      const isHeld = lease !== undefined && lease.expiresAt > Date.now();
      const own = { leases, epoch: epoch + 1, holder: this.holder, url: nowhere, expiresAt: Date.now() + leaseTime };
      if (!isHeld && (await this.leases.create(own))) return own;
      await sleep(pause);
    }
    throw new OciError('UNAVAILABLE', 'other requests are moving the tag', { retryAfter: 1 });
  }
}
