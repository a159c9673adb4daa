import { Injectable, Logger } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { ManifestError, parseManifest, type Manifest } from '../../oci/manifest.js';
import type { Reference } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { ManifestStore, type ManifestRecord } from '../../storage/stores/manifest.store.js';
import { UpstreamClient, type ManifestHead as UpstreamManifestHead } from '../../upstream/upstream.client.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { ManifestWriter } from './manifest.writer.js';
import { OriginService } from './origin.service.js';
import { PermissionService } from './permission.service.js';
import { RefusedContent } from './refused.content.js';
import type { ManifestContent, ManifestHead } from '../manifest.js';
import { counted, unchanged, type ValidityCheck } from '../validity-check.js';
import { reasonOf, toResponseError } from '../response-error.js';
import type { CacheStatus } from '../statistics/traffic.counts.js';
import { within } from './deadline.js';
import { UsesService } from '../eviction/uses.service.js';
import { NegativeCache } from './freshness/negative.cache.js';
import { manifestKey } from './freshness/tag.policy.js';
import { isHeadRefusal } from './head-refusal.js';
import { OutageAgreement } from './outage.agreement.js';
import { RequestLock } from './replicas/request.lock.js';
import { SingleFlight } from '../reading/single-flight.js';
import { StoredManifests } from '../reading/stored-manifests.js';
import { TrafficCounts } from '../statistics/traffic.counts.js';
import { TagResolver } from './tag.resolver.js';

/** Manifests of mirrored repositories. HEAD and GET share one resolver, so that they never disagree. */
@Injectable()
export class MirroredManifestsService {
  private readonly logger = new Logger('Manifests');
  private readonly fetches = new SingleFlight<ManifestContent>();

  constructor(
    private readonly manifests: ManifestStore,
    private readonly tags: TagResolver,
    private readonly upstream: UpstreamClient,
    private readonly refusals: NegativeCache,
    private readonly permissions: PermissionService,
    private readonly origins: OriginService,
    private readonly outages: OutageAgreement,
    private readonly refused: RefusedContent,
    private readonly writer: ManifestWriter,
    private readonly uses: UsesService,
    private readonly traffic: TrafficCounts,
    private readonly lock: RequestLock,
    private readonly bodies: StoredManifests,
  ) {}

  /** @throws OciError */
  head(repository: RepositoryRef, reference: Reference): Promise<ManifestHead> {
    return this.responding(
      repository,
      reference instanceof Digest ? this.headDigest(repository, reference) : this.headTag(repository, reference),
    );
  }

  /** @throws OciError */
  get(repository: RepositoryRef, reference: Reference): Promise<ManifestContent> {
    return this.responding(
      repository,
      reference instanceof Digest ? this.getDigest(repository, reference) : this.getTag(repository, reference),
    );
  }

  private async headDigest(repository: RepositoryRef, digest: Digest): Promise<ManifestHead> {
    const record = await this.findRecord(repository, digest);
    if (record) {
      this.uses.manifest(repository, digest);
      return this.hit(repository, digest, record);
    }
    const agreed = await this.guard(repository, digest, () => this.linkAgreed(repository, digest));
    if (agreed) return agreed;
    const head = await this.guard(repository, digest, () => this.headUpstream(repository, digest));
    const isOther = head?.digest !== undefined && !head.digest.equals(digest);
    if (head?.mediaType === undefined || head.size === undefined || isOther) return this.getDigest(repository, digest);
    return { digest, mediaType: head.mediaType, size: head.size, cache: 'MISS' };
  }

  /** A stored manifest is described by itself: the tag may only have the size and type of a HEAD, which nothing verifies. */
  private async headTag(repository: RepositoryRef, tag: Exclude<Reference, Digest>): Promise<ManifestHead> {
    const { body, validity, ...resolved } = await this.tags.resolve(repository, tag, 'HEAD');
    const { digest } = resolved;
    if (resolved.cache !== 'MISS') {
      this.uses.tag(repository, tag);
      this.uses.manifest(repository, digest);
    }
    // What has just been fetched is known.
    if (body) return resolved;
    const isNew = resolved.cache === 'MISS';
    const known = await this.manifests.find(repository, digest);
    const record = known ?? (isNew ? await this.linkNamed(repository, digest) : undefined);
    // Earlier versions recorded a HEAD without a size as 0 bytes.
    if (!record) return resolved.size === 0 ? this.getTag(repository, tag) : resolved;
    const { mediaType, size } = record;
    const isKept = this.manifests.watch(repository, digest, record);
    return { ...resolved, mediaType, size, validity: both(validity, () => (isKept() ? unchanged : undefined)) };
  }

  /** The record of a manifest that was stored for another repository. Without it, the response is that of the HEAD. */
  private async linkNamed(repository: RepositoryRef, digest: Digest): Promise<ManifestRecord | undefined> {
    try {
      return (await this.linkAgreed(repository, digest)) && (await this.manifests.find(repository, digest));
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      this.logger.debug(`could not link ${digest.toString()}: ${error.message}`);
      return undefined;
    }
  }

  private async getTag(repository: RepositoryRef, tag: Exclude<Reference, Digest>): Promise<ManifestContent> {
    const resolved = await this.tags.resolve(repository, tag, 'GET');
    const { digest, cache, age, fallback } = resolved;
    this.uses.tag(repository, tag);
    const manifest = resolved.body ? undefined : await this.findNamed(repository, digest);
    if (!manifest) {
      const { body, ...fetched } = resolved.body ? resolved : await this.tags.refetch(repository, tag);
      if (!body) throw new UpstreamError('unavailable', 'the tag was resolved without a manifest');
      this.uses.manifest(repository, fetched.digest, body);
      return { ...fetched, body };
    }
    // The request was for the tag, so its cache status counts, unless the content had to be fetched.
    const status = manifest.cache === 'HIT' ? cache : manifest.cache;
    const validity = status === 'HIT' && manifest.validity ? both(resolved.validity, manifest.validity) : undefined;
    // Size and media type are those of the manifest: the tag has those of a HEAD, which no digest verifies.
    return { ...manifest, cache: status, age, fallback, validity };
  }

  /** The manifest that a tag names; undefined when the upstream does not have it, which says nothing about the tag. */
  private async findNamed(repository: RepositoryRef, digest: Digest): Promise<ManifestContent | undefined> {
    try {
      return await this.getDigest(repository, digest);
    } catch (error) {
      if (error instanceof UpstreamError && error.kind === 'missing') return undefined;
      throw error;
    }
  }

  private async getDigest(repository: RepositoryRef, digest: Digest): Promise<ManifestContent> {
    const response = await this.findDigest(repository, digest);
    this.uses.manifest(repository, digest, response.body);
    return response;
  }

  /** Manifests by digest do not expire. */
  private async findDigest(repository: RepositoryRef, digest: Digest): Promise<ManifestContent> {
    const record = await this.findRecord(repository, digest);
    const body = record && (await this.bodies.find(digest, record.size));
    if (record && body) return { ...this.hit(repository, digest, record, body), size: body.length, body };
    const key = manifestKey(repository, digest);
    return this.fetches.run(key, () => this.guard(repository, digest, () => this.fetchOnce(repository, digest)));
  }

  /** Another replica may be fetching it, and registries count GETs against pull limits. */
  private fetchOnce(repository: RepositoryRef, digest: Digest): Promise<ManifestContent> {
    const find = async (): Promise<ManifestContent | undefined> => {
      const record = await this.manifests.reread(repository, digest);
      if (!record || this.permissions.isDue(repository, record)) return undefined;
      const body = await this.bodies.find(digest, record.size);
      return body && { ...this.hit(repository, digest, record, body), size: body.length, body };
    };
    return this.lock.run(keys.manifestLeases(repository, digest), {
      ask: () => this.fetch(repository, digest),
      find,
    });
  }

  private hit(repository: RepositoryRef, digest: Digest, record: ManifestRecord, body?: Buffer): ManifestHead {
    const isKept = this.manifests.watch(repository, digest, record, body);
    const validity: ValidityCheck = () =>
      isKept() && !this.permissions.isDue(repository, record) ? unchanged : undefined;
    const { mediaType, size } = record;
    return { digest, mediaType, size, cache: 'HIT', validity };
  }

  /** The record, unless the upstream revokes it when permission is rechecked. */
  private async findRecord(repository: RepositoryRef, digest: Digest): Promise<ManifestRecord | undefined> {
    const record = await this.manifests.find(repository, digest);
    if (!record || !this.permissions.isDue(repository, record)) return record;
    const key = manifestKey(repository, digest);
    await this.permissions.recheck(repository, {
      key,
      find: () => this.manifests.reread(repository, digest),
      ask: () => this.guard(repository, digest, () => this.agree(repository, digest)),
      keep: () => this.link(repository, digest, record),
      forget: () => this.manifests.unlink(repository, digest),
    });
    return record;
  }

  /** A refusal is remembered: for a short time for other requests, and for good for outages. */
  private guard<T>(repository: RepositoryRef, digest: Digest, ask: () => Promise<T>): Promise<T> {
    return this.refusals.guard(manifestKey(repository, digest), () => this.refused.watch(repository, digest, ask));
  }

  /** A record that cannot be written costs another upstream request later; this response is unaffected. */
  private async link(repository: RepositoryRef, digest: Digest, record: ManifestRecord): Promise<void> {
    const renewed = { ...record, ...this.permissions.permission(repository, record) };
    await this.manifests.link(repository, digest, renewed).catch((error: unknown) => {
      this.logger.warn(`could not record a manifest of ${repository.toString()}: ${reasonOf(error)}`);
    });
  }

  /** Returns when the upstream still serves the manifest to the repository. */
  private async agree(repository: RepositoryRef, digest: Digest): Promise<void> {
    if (await this.headUpstream(repository, digest)) return;
    const { hold } = await this.upstream.getManifest(repository, digest);
    hold.release();
  }

  private async fetch(repository: RepositoryRef, digest: Digest): Promise<ManifestContent> {
    const agreed = await this.linkAgreed(repository, digest);
    if (agreed) return agreed;
    const manifest = await this.upstream.getManifest(repository, digest);
    try {
      await this.writer.write(repository, manifest);
      return contentOf(digest, manifest, 'MISS');
    } finally {
      manifest.hold.handOver();
    }
  }

  /** A manifest that is stored for another repository, confirmed by a HEAD, which costs no pull (P14). */
  private async linkAgreed(repository: RepositoryRef, digest: Digest): Promise<ManifestContent | undefined> {
    const size = await this.manifests.findSize(digest);
    const origin = size === undefined ? undefined : await this.origins.findUsable(repository, digest);
    const body = origin && (await this.bodies.find(digest, origin.size));
    if (!body) return undefined;
    const head = await this.headUpstream(repository, digest).catch(async (error: unknown) => {
      const manifest = parseStored(body, undefined, digest);
      if (manifest && (await this.outages.covers(error, repository, digest))) return manifest;
      throw error;
    });
    if (head && 'body' in head) return contentOf(digest, head, 'STALE');
    if (head?.mediaType === undefined || !this.origins.isProven(repository, digest, origin, head)) return undefined;
    // The type of a HEAD is a hint, for a document that does not tell its own.
    const manifest = parseStored(body, undefined, digest) ?? parseStored(body, head.mediaType, digest);
    if (!manifest) return undefined;
    await this.writer.write(repository, manifest, origin);
    return contentOf(digest, manifest, 'REVALIDATED');
  }

  /** Undefined when the registry does not support HEAD: a GET then decides. */
  private async headUpstream(repository: RepositoryRef, digest: Digest): Promise<UpstreamManifestHead | undefined> {
    try {
      return await this.upstream.headManifest(repository, digest);
    } catch (error) {
      if (isHeadRefusal(error)) return undefined;
      throw error;
    }
  }

  private async responding<T extends ManifestHead>(repository: RepositoryRef, response: Promise<T>): Promise<T> {
    try {
      const manifest = await within(response);
      const { manifests } = this.traffic.of(repository.namespace.toString());
      manifests[manifest.cache] += 1;
      return { ...manifest, validity: counted(manifest.validity, manifests) };
    } catch (error) {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    }
  }
}

function contentOf(digest: Digest, { body, mediaType }: Manifest, cache: CacheStatus): ManifestContent {
  return { digest, mediaType, size: body.length, body, cache };
}

/** Undefined when the stored bytes are no manifest of that media type. */
function parseStored(body: Buffer, mediaType: string | undefined, digest: Digest): Manifest | undefined {
  try {
    return parseManifest(body, mediaType, digest.algorithm);
  } catch (error) {
    if (error instanceof ManifestError) return undefined;
    throw error;
  }
}

/** A response for a tag is valid while both the tag and the manifest are. */
function both(tag: ValidityCheck | undefined, manifest: ValidityCheck): ValidityCheck | undefined {
  return tag && (() => (manifest() ? tag() : undefined));
}
