import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { UploadRecord, UploadSession } from '../../storage/stores/upload.store.js';
import { SessionEnded } from './open.sessions.js';
import { QuotaExceeded } from './quota/quota.service.js';
import { isOwn, type SessionOwner } from './session.owner.js';

/** Sessions remembered, and for how many milliseconds. */
const limits = { ...atMost(1_000), ttl: 3_600_000 };

/**
 * Upload sessions that ended because the quota has no room for them. regctl goes on with a session that was refused, and shows
 * its user the last response: that has to name the quota, too.
 */
@Injectable()
export class RefusedSessions {
  private readonly refused = new LRUCache<string, { readonly session: UploadRecord; readonly error: QuotaExceeded }>(
    limits,
  );

  /** @throws QuotaExceeded for a session that was refused */
  assertNot(owner: SessionOwner, id: string): void {
    const found = this.refused.get(id);
    if (found && isOwn(owner, found.session)) throw found.error;
  }

  /** @returns whether the session was refused */
  forget(owner: SessionOwner, id: string): boolean {
    return isOwn(owner, this.refused.get(id)?.session) && this.refused.delete(id);
  }

  /** Runs an action of a session, and ends the session when it exceeds the quota. @throws SessionEnded with QuotaExceeded */
  async watch<T>(session: UploadSession, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof QuotaExceeded)) throw error;
      await session.abort();
      const { id, epoch, repository, size, startedAt, startedBy } = session;
      this.refused.set(id, { session: { id, epoch, repository, size, startedAt, startedBy }, error });
      throw new SessionEnded(error);
    }
  }
}
