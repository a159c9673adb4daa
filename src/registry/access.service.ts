import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../config/clock.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { Access } from '../storage/record.store.js';
import { UpstreamClient } from '../upstream/upstream.client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { UpstreamsService } from '../upstream/upstreams.service.js';
import { inTime } from './deadline.js';

/** Whether what is stored may still be served: content that took credentials is asked about again from time to time (P14). */
@Injectable()
export class AccessService {
  constructor(
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** What is recorded when the upstream has just let the repository have something. */
  granted({ namespace }: RepositoryRef): Access {
    const { credentials } = this.upstreams.get(namespace).settings;
    return { isPrivate: credentials !== undefined, agreedAt: this.clock.now() };
  }

  /** Whether the upstream has to be asked again. A record from the future is not trusted. */
  isDue({ namespace }: RepositoryRef, { isPrivate, agreedAt }: Access): boolean {
    const { credentials, accessRecheckTime } = this.upstreams.get(namespace).settings;
    const age = this.clock.now() - agreedAt;
    return (isPrivate || credentials !== undefined) && !(age >= 0 && age < accessRecheckTime);
  }

  /**
   * Asks again. An upstream that cannot answer now has not taken anything back.
   * @returns whether it agreed.
   * @throws UpstreamError when it definitely refused.
   */
  async recheck(repository: RepositoryRef, ask: () => Promise<unknown>): Promise<boolean> {
    if (this.upstream.isSlow(repository)) return false;
    try {
      const agreed = await inTime(ask().then(() => true));
      if (agreed === undefined) this.upstream.noteSlow(repository);
      return agreed === true;
    } catch (error) {
      if (error instanceof UpstreamError && !error.isDefinitive) return false;
      throw error;
    }
  }
}
