import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { Reference, Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { HostedStore, type HostedManifest } from '../../storage/stores/hosted/hosted.store.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { UsesService } from '../eviction/uses.service.js';
import type { ManifestContent, ManifestHead } from '../manifest.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { toResponseError } from '../response-error.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';
import { counted, unchanged, type ValidityCheck } from '../validity-check.js';
import { RenewalsService } from './garbage/renewals.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';

/** A manifest's record, and how to tell that it is still the one for the reference. */
interface Found {
  readonly digest: Digest;
  readonly record: HostedManifest;
  readonly isKept: () => boolean;
}

/** Manifests of hosted repositories: what is not here does not exist. */
@Injectable()
export class HostedManifestsService {
  constructor(
    private readonly store: HostedStore,
    private readonly manifests: ManifestStore,
    private readonly bodies: StoredManifests,
    private readonly uses: UsesService,
    private readonly namespaces: HostedNamespaces,
    private readonly renewals: RenewalsService,
    private readonly traffic: TrafficCounts,
  ) {}

  /** @throws OciError MANIFEST_UNKNOWN, also when the content is missing, so that a client pushes it again */
  async head(repository: RepositoryRef, reference: Reference): Promise<ManifestHead> {
    const { digest, mediaType, size, cache, validity } = await this.get(repository, reference);
    return { digest, mediaType, size, cache, validity };
  }

  /** @throws OciError MANIFEST_UNKNOWN */
  async get(repository: RepositoryRef, reference: Reference): Promise<ManifestContent> {
    const manifest = await this.find(repository, reference).catch((error: unknown) => {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    });
    if (!manifest) throw new OciError('MANIFEST_UNKNOWN');
    const { manifests } = this.traffic.of(repository.namespace.toString());
    manifests.HIT += 1;
    return { ...manifest, validity: counted(manifest.validity, manifests) };
  }

  private async find(repository: RepositoryRef, reference: Reference): Promise<ManifestContent | undefined> {
    const found =
      reference instanceof Digest
        ? await this.findDigest(repository, reference)
        : await this.findTag(repository, reference);
    const body = found && (await this.bodies.find(found.digest, found.record.size));
    if (!body) return undefined;
    const { digest, record, isKept } = found;
    this.uses.manifest(repository, digest, body);
    const validity: ValidityCheck = () =>
      isKept() && this.manifests.findCachedBody(digest) === body ? unchanged : undefined;
    const { mediaType } = record;
    const watched = this.store.isCached ? { validity } : {};
    return { digest, mediaType, size: body.length, body, cache: 'HIT', ...watched };
  }

  private async findDigest(repository: RepositoryRef, digest: Digest): Promise<Found | undefined> {
    const record = await this.store.findManifest(repository, digest);
    // A client that sees it does not push it, and goes on with the index that lists it.
    const isAtRisk = record !== undefined && this.namespaces.untaggedOf(repository.namespace) !== undefined;
    if (isAtRisk && !(await this.renewals.manifest(repository, digest))) return undefined;
    return record && { digest, record, isKept: this.store.watchManifest(repository, digest, record) };
  }

  /** A tag goes before its manifest, so that its record alone decides: one request where memory must not answer. */
  private async findTag(repository: RepositoryRef, tag: Tag): Promise<Found | undefined> {
    const record = await this.store.findTag(repository, tag);
    if (!record) return undefined;
    this.uses.hostedTag(repository, tag);
    return { digest: record.digest, record, isKept: this.store.watchTag(repository, tag, record) };
  }
}
