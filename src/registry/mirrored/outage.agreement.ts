import { Injectable, Logger } from '@nestjs/common';
import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { isOutage } from '../../upstream/health/upstream.health.js';
import { LocalLimitError } from '../../upstream/upstream-error.js';
import { NamedContent } from './named.content.js';
import { OriginService } from './origin.service.js';
import { RefusedContent } from './refused.content.js';

/**
 * What may be served under a repository while its upstream cannot agree: stored content that the same upstream sent to
 * the same account, that a stored manifest of the repository names, and that the upstream has not refused there. A client that has a layer from one repository
 * skips it when it pulls from another, so no request under the second one has ever asked for it.
 */
@Injectable()
export class OutageAgreement {
  private readonly logger = new Logger('Outages');

  constructor(
    private readonly origins: OriginService,
    private readonly named: NamedContent,
    private readonly refused: RefusedContent,
  ) {}

  /**
   * @param error why the upstream did not agree; a refusal, and a limit of this process, is no outage.
   * @throws StorageError
   */
  async covers(error: unknown, repository: RepositoryRef, digest: Digest): Promise<boolean> {
    if (!isOutage(error) || error instanceof LocalLimitError) return false;
    if (!(await this.origins.isSentToSame(repository, digest))) return false;
    if (await this.refused.has(repository, digest)) return false;
    if (!(await this.named.has(repository, digest))) return false;
    this.logger.debug(`${digest.toString()} is served to ${repository.toString()} stale: ${error.message}`);
    return true;
  }
}
