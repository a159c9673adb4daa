import { Injectable, Logger } from '@nestjs/common';
import type { Manifest } from '../../oci/manifest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import type { Origin } from '../../storage/stores/origin.store.js';
import { reasonOf } from '../response-error.js';
import { MirroredCatalogService } from './mirrored-catalog.service.js';
import { OriginService } from './origin.service.js';
import { PermissionService } from './permission.service.js';

/** Stores manifests for a repository. */
@Injectable()
export class ManifestWriter {
  private readonly logger = new Logger('Manifests');

  constructor(
    private readonly manifests: ManifestStore,
    private readonly origins: OriginService,
    private readonly permissions: PermissionService,
    private readonly catalog: MirroredCatalogService,
  ) {}

  /**
   * Never throws: a manifest that cannot be stored is fetched again later.
   * @param known the origin of a manifest that was stored before and that the upstream has only confirmed.
   */
  async write(repository: RepositoryRef, manifest: Manifest, known?: Origin): Promise<void> {
    // The digest of schema 1 is not that of its bytes, so nothing can be stored under it.
    if (!manifest.storable) return;
    const stored = this.manifests
      .put(repository, manifest, this.permissions.permission(repository, known))
      .catch((error: unknown) => {
        this.logger.warn(`could not store a manifest of ${repository.toString()}: ${reasonOf(error)}`);
      });
    const recorded = known ?? this.origins.record(repository, manifest.digest, manifest.body.length);
    await Promise.all([stored, recorded, this.catalog.add(repository)]);
  }
}
