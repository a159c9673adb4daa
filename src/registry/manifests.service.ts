import { Injectable } from '@nestjs/common';
import type { Reference } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { OciError } from '../oci/error.js';
import type { ManifestContent, ManifestHead } from './manifest.js';
import { MirroredManifestsService } from './mirrored/mirrored-manifests.service.js';
import type { PushedManifest, PutResult } from './push.js';

/** Manifests of repositories, by tag and by digest (end-3). */
@Injectable()
export class ManifestsService {
  constructor(private readonly mirrored: MirroredManifestsService) {}

  /** @throws OciError */
  head(repository: RepositoryRef, reference: Reference): Promise<ManifestHead> {
    return this.mirrored.head(repository, reference);
  }

  /** @throws OciError */
  get(repository: RepositoryRef, reference: Reference): Promise<ManifestContent> {
    return this.mirrored.get(repository, reference);
  }

  /** @throws OciError */
  put(_repository: RepositoryRef, _reference: Reference, _manifest: PushedManifest): Promise<PutResult> {
    return Promise.reject(new OciError('UNSUPPORTED'));
  }

  /** @throws OciError */
  delete(_repository: RepositoryRef, _reference: Reference): Promise<void> {
    return Promise.reject(new OciError('UNSUPPORTED'));
  }
}
