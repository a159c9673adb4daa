import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { RepositoryRef } from '../../oci/repository.js';
import type { UploadSession } from '../../storage/stores/upload.store.js';
import { SessionEnded } from './open.sessions.js';
import { QuotaExceeded } from './quota/quota.service.js';

/** Sessions remembered, and for how many milliseconds. */
const limits = { max: 1_000, ttl: 3_600_000 };

/**
 * Upload sessions that ended because the quota has no room for them. regctl goes on with a session that was refused, and shows
 * its user the last response: that has to name the quota, too.
 */
@Injectable()
export class RefusedSessions {
  private readonly refused = new LRUCache<string, { readonly repository: string; readonly error: QuotaExceeded }>(
    limits,
  );

  /** @throws QuotaExceeded for a session that was refused */
  assertNot(repository: RepositoryRef, id: string): void {
    const found = this.refused.get(id);
    if (found?.repository === repository.toString()) throw found.error;
  }

  /** @returns whether the session was refused */
  forget(repository: RepositoryRef, id: string): boolean {
    return this.refused.get(id)?.repository === repository.toString() && this.refused.delete(id);
  }

  /** Runs an action of a session, and ends the session when it exceeds the quota. @throws SessionEnded with QuotaExceeded */
  async watch<T>(session: UploadSession, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof QuotaExceeded)) throw error;
      await session.abort();
      this.refused.set(session.id, { repository: session.repository, error });
      throw new SessionEnded(error);
    }
  }
}
