import { Inject, Injectable, Logger } from '@nestjs/common';
import { hostedSettings } from '../../config/config.module.js';
import type { HostedSettings } from '../../config/hosted/hosted.settings.js';
import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { MountSourceStore } from '../../storage/stores/hosted/mount-source.store.js';
import { reasonOf } from '../response-error.js';

/** Repositories, hosted and mirrored, from which a blob may be mounted when the client names none. */
@Injectable()
export class MountSources {
  private readonly logger = new Logger('Mounts');
  private isUsed: boolean;
  private hasFailed = false;

  constructor(
    private readonly store: MountSourceStore,
    @Inject(hostedSettings) settings: readonly HostedSettings[],
  ) {
    this.isUsed = settings.length > 0;
  }

  /** Follows the upstream file. */
  replace(settings: readonly HostedSettings[]): void {
    this.isUsed = settings.length > 0;
  }

  /** Notes that a repository has a blob. Without the note the blob is uploaded again: a failure is only logged, once. */
  async note(repository: RepositoryRef, digest: Digest): Promise<void> {
    if (!this.isUsed) return;
    try {
      await this.store.put(repository, digest);
      this.hasFailed = false;
    } catch (error) {
      if (!this.hasFailed) this.logger.warn(`could not note where blobs may be mounted from: ${reasonOf(error)}`);
      this.hasFailed = true;
    }
  }

  /** At most 16, in no order; they may have lost the blob since. */
  find(digest: Digest): Promise<RepositoryRef[]> {
    return this.store.find(digest);
  }
}
