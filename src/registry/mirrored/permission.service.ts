import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { Permission } from '../../storage/stores/record.store.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { reasonOf } from '../response-error.js';
import { inTime } from '../deadline.js';
import { SingleFlight } from '../single-flight.js';

/** Something stored that the upstream is asked about again. */
export interface Recheck {
  /** Names it among all that are asked about. */
  readonly key: string;
  /** @throws UpstreamError when the upstream did not agree */
  readonly ask: () => Promise<unknown>;
  /** Records that the upstream has agreed; it must not throw. */
  readonly keep: () => Promise<void>;
  /** Takes it away from the repository. */
  readonly forget: () => Promise<void>;
}

/** Whether what is stored may still be served: content that took credentials is asked about again from time to time (P14). */
@Injectable()
export class PermissionService {
  private readonly logger = new Logger(PermissionService.name);
  private readonly rechecks = new SingleFlight<void>();

  constructor(
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** What is recorded when the upstream has just let the repository have something. */
  permission({ namespace }: RepositoryRef): Permission {
    const { credentials } = this.upstreams.get(namespace).settings;
    return { isPrivate: credentials !== undefined, agreedAt: this.clock.now() };
  }

  /** Whether the upstream has to be asked again. A record from the future is not trusted. */
  isDue({ namespace }: RepositoryRef, { isPrivate, agreedAt }: Permission): boolean {
    const { credentials, accessRecheckTime } = this.upstreams.get(namespace).settings;
    const age = this.clock.now() - agreedAt;
    return (isPrivate || credentials !== undefined) && !(age >= 0 && age < accessRecheckTime);
  }

  /**
   * Asks again, once for all who want to know. An upstream that cannot answer now has not taken anything back; what it
   * answers later counts for those who come later.
   * @throws UpstreamError when it definitely refused.
   */
  async recheck(repository: RepositoryRef, recheck: Recheck): Promise<void> {
    if (this.upstream.isSlow(repository)) return;
    const asking = this.rechecks.run(recheck.key, () => this.ask(recheck)).then(() => true);
    try {
      if ((await inTime(asking)) === undefined) this.upstream.noteSlow(repository);
    } catch (error) {
      if (error instanceof UpstreamError && !error.isDefinitive) return;
      throw error;
    }
  }

  private async ask({ key, ask, keep, forget }: Recheck): Promise<void> {
    try {
      await ask();
    } catch (error) {
      const isTakenBack = error instanceof UpstreamError && error.isDefinitive && error.kind !== 'refused';
      if (isTakenBack) {
        await forget().catch((cause: unknown) => this.logger.warn(`${key} was not forgotten: ${reasonOf(cause)}`));
      }
      throw error;
    }
    await keep();
  }
}
