import { Injectable, Logger } from '@nestjs/common';
import { ServerSettings } from '../../config/server.settings.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { MirroredCatalogStore } from '../../storage/stores/mirrored-catalog.store.js';
import { reasonOf } from '../response-error.js';

/** The mirrored repositories in the catalog, if the settings want them there. */
@Injectable()
export class MirroredCatalogService {
  private readonly logger = new Logger('Catalog');
  private hasFailed = false;

  constructor(
    private readonly store: MirroredCatalogStore,
    private readonly settings: ServerSettings,
  ) {}

  get isOn(): boolean {
    return this.settings.catalog === 'all';
  }

  /** Never throws: a repository that cannot be recorded is recorded with its next manifest. */
  async add(repository: RepositoryRef): Promise<void> {
    if (!this.isOn) return;
    try {
      await this.store.add(repository);
      this.hasFailed = false;
    } catch (error) {
      if (!this.hasFailed)
        this.logger.warn(`could not add ${repository.toString()} to the catalog: ${reasonOf(error)}`);
      this.hasFailed = true;
    }
  }

  /** Whole names in the order of their bytes. @throws StorageError */
  list(after: string | undefined, limit: number): Promise<string[]> {
    return this.isOn ? this.store.list(after, limit) : Promise.resolve([]);
  }
}
