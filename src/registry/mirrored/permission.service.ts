import { Inject, Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { Clock } from '../../config/clock/clock.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { StorageError } from '../../storage/storage-error.js';
import type { Permission } from '../../storage/stores/record.store.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { reasonOf } from '../response-error.js';
import { inTime } from './deadline.js';
import { SingleFlight } from '../reading/single-flight.js';

/** Repositories whose last refusal is remembered. */
const maxRefused = 10_000;

/** Stored content whose permission is rechecked. */
export interface Recheck {
  /** Identifies it among all rechecks. */
  readonly key: string;
  /** Reads the record again, past memory. @throws StorageError */
  readonly find: () => Promise<Permission | undefined>;
  /** @throws UpstreamError when the upstream did not confirm it */
  readonly ask: () => Promise<unknown>;
  /** Records the confirmation; it must not throw. */
  readonly keep: () => Promise<void>;
  /** Removes it from the repository. */
  readonly forget: () => Promise<void>;
}

/** Rechecks at intervals whether content that was obtained with credentials may still be served (P14). */
@Injectable()
export class PermissionService {
  private readonly logger = new Logger(PermissionService.name);
  private readonly rechecks = new SingleFlight<void>();
  /** When upstreams last refused repositories with 401 or 403, in milliseconds since 1970. */
  private readonly refusedAt = new LRUCache<string, number>(atMost(maxRefused));

  constructor(
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * The permission to record when the upstream has just served something to the repository, or confirmed it.
   * @param known of content that is stored: what was received with credentials stays private.
   * @param upstream that was asked, if it may be out of use by now.
   */
  permission(
    { namespace, name }: RepositoryRef,
    known?: { readonly isPrivate?: boolean | undefined },
    upstream = this.upstreams.get(namespace),
  ): Permission {
    const takesCredentials = upstream.takesCredentials(name);
    // The request may have been sent before the credentials were removed.
    const isPrivate = takesCredentials || known?.isPrivate === true || this.upstreams.mayHaveSignedIn(namespace);
    return { isPrivate, agreedAt: this.clock.now() };
  }

  /** Whether the upstream must be asked again. A record from the future is not trusted. */
  isDue(
    repository: RepositoryRef,
    { isPrivate, agreedAt }: Permission,
    upstream = this.upstreams.get(repository.namespace),
  ): boolean {
    const { name } = repository;
    if (!isPrivate && !upstream.takesCredentials(name)) return false;
    const { accessRecheckTime } = upstream.settings;
    const age = this.clock.now() - agreedAt;
    return !(age >= 0 && age < accessRecheckTime) || agreedAt <= this.doubtedAt(repository);
  }

  /** To be called when the upstream has refused access: all that it agreed to before is asked about again. */
  noteRefusal(repository: RepositoryRef): void {
    this.refusedAt.set(repository.toString(), this.clock.now());
  }

  /** Whether something happened since that puts the permission in doubt, until the upstream is asked again. */
  isDoubted(repository: RepositoryRef, { agreedAt }: Pick<Permission, 'agreedAt'>): boolean {
    return agreedAt <= this.doubtedAt(repository);
  }

  /** When something happened that puts earlier permissions in doubt. */
  private doubtedAt(repository: RepositoryRef): number {
    const changedAt = this.upstreams.credentialsChangedAt(repository.namespace) ?? -Infinity;
    return Math.max(this.refusedAt.get(repository.toString()) ?? -Infinity, changedAt);
  }

  /**
   * Asks the upstream, once for all concurrent callers. An outage revokes nothing; a response that arrives late applies
   * to later requests.
   * @throws UpstreamError when the upstream definitively refused.
   */
  async recheck(repository: RepositoryRef, recheck: Recheck): Promise<void> {
    if (this.upstream.isSlow(repository)) return;
    const asking = this.rechecks.run(recheck.key, () => this.ask(repository, recheck)).then(() => true);
    try {
      if ((await inTime(asking)) === undefined) this.upstream.noteSlow(repository);
    } catch (error) {
      if (error instanceof UpstreamError && !error.isDefinitive) return;
      throw error;
    }
  }

  private async ask(repository: RepositoryRef, { key, find, ask, keep, forget }: Recheck): Promise<void> {
    if (await this.isAgreed(repository, key, find)) return;
    try {
      await ask();
    } catch (error) {
      const isRevoked = error instanceof UpstreamError && error.isDefinitive && error.kind !== 'refused';
      if (isRevoked) {
        await forget().catch((cause: unknown) =>
          this.logger.warn(`could not remove the record of ${key}: ${reasonOf(cause)}`),
        );
      }
      throw error;
    }
    await keep();
  }

  /** Another recheck may have ended since the caller read the record. */
  private async isAgreed(repository: RepositoryRef, key: string, find: Recheck['find']): Promise<boolean> {
    try {
      const record = await find();
      return record !== undefined && !this.isDue(repository, record);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.logger.debug(`rechecking without the record of ${key}: ${reasonOf(error)}`);
      return false;
    }
  }
}
