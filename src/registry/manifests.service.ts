import { Injectable } from '@nestjs/common';
import type { Reference, Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { DeletionsService } from './hosted/deletions.service.js';
import { HostedManifestsService } from './hosted/hosted-manifests.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { ManifestPushesService } from './hosted/manifest-pushes.service.js';
import type { Preconditions } from './hosted/tag-writer.js';
import type { ManifestContent, ManifestHead } from './manifest.js';
import { MirroredManifestsService } from './mirrored/mirrored-manifests.service.js';
import { PushRights } from './push-rights.js';
import type { PushedManifest, PutResult } from './push.js';
import { LastOutcomes } from './statistics/last.outcomes.js';
import { TrafficCounts } from './statistics/traffic.counts.js';

/** Manifests of repositories, by tag and by digest (end-3, end-7, end-9). */
@Injectable()
export class ManifestsService {
  constructor(
    private readonly namespaces: HostedNamespaces,
    private readonly hosted: HostedManifestsService,
    private readonly mirrored: MirroredManifestsService,
    private readonly rights: PushRights,
    private readonly pushes: ManifestPushesService,
    private readonly deletions: DeletionsService,
    private readonly traffic: TrafficCounts,
    private readonly outcomes: LastOutcomes,
  ) {}

  /** @throws OciError */
  head(repository: RepositoryRef, reference: Reference): Promise<ManifestHead> {
    return this.outcomes.watch(repository, reference, this.of(repository).head(repository, reference));
  }

  /** @throws OciError */
  get(repository: RepositoryRef, reference: Reference): Promise<ManifestContent> {
    return this.outcomes.watch(repository, reference, this.of(repository).get(repository, reference));
  }

  /** @throws OciError */
  async put(repository: RepositoryRef, reference: Reference, manifest: PushedManifest): Promise<PutResult> {
    this.rights.assert(repository);
    const { pushes } = this.traffic.of(repository.namespace.toString());
    pushes.received += manifest.body.length;
    return pushes.ending('manifest', () => this.pushes.put(repository, reference, manifest));
  }

  /** Deletes a tag alone, or a manifest with its tags. @returns the tags. @throws OciError */
  async delete(
    repository: RepositoryRef,
    reference: Reference,
    conditions: Preconditions = {},
  ): Promise<readonly Tag[]> {
    this.rights.assert(repository);
    return this.deletions.deleteManifest(repository, reference, conditions);
  }

  private of({ namespace }: RepositoryRef): HostedManifestsService | MirroredManifestsService {
    return this.namespaces.has(namespace) ? this.hosted : this.mirrored;
  }
}
