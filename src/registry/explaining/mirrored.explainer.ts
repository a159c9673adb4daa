import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { ttlOf } from '../../config/tag-rule.settings.js';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { Digest } from '../../oci/digest.js';
import type { Reference, Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { matchesPattern } from '../../oci/patterns/pattern.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { TagStore, type TagRecord } from '../../storage/stores/tag.store.js';
import type { UpstreamInspection } from '../../upstream/health/inspection.js';
import type { Upstream } from '../../upstream/upstream.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { ageOf, freshnessOf } from '../mirrored/freshness/freshness.js';
import { NegativeCache } from '../mirrored/freshness/negative.cache.js';
import { manifestKey, policyOf, remembersRefusals, tagKey } from '../mirrored/freshness/tag.policy.js';
import { PermissionService } from '../mirrored/permission.service.js';
import { RefusedContent } from '../mirrored/refused.content.js';
import type { ExplainedContent, Explanation, ExplainedRecord, ExplainedRule, Next } from './explanation.js';
import { nextOfDigest, nextOfTag, type Decided } from './next.js';
import { nothing, StoredContent } from './stored.content.js';
import { credentialsText, upstreamText } from './upstream.text.js';

/** What of an explanation depends on the kind of the namespace. */
export type Explained = Pick<
  Explanation,
  'isPrivate' | 'isRefused' | 'record' | 'rule' | 'upstream' | 'refusal' | 'stored' | 'now'
>;

type Found = Omit<Explained, 'isRefused' | 'upstream' | 'refusal'>;

/** Explains references of mirrored namespaces: reads records and the state of the upstream, and asks nobody. */
@Injectable()
export class MirroredExplainer {
  constructor(
    private readonly tags: TagStore,
    private readonly manifests: ManifestStore,
    private readonly content: StoredContent,
    private readonly upstream: UpstreamClient,
    private readonly refusals: NegativeCache,
    private readonly permissions: PermissionService,
    private readonly refused: RefusedContent,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** @throws UpstreamError `refused` when the namespace is not mirrored here; StorageError */
  async explain(repository: RepositoryRef, reference: Reference, seesOthers: boolean): Promise<Explained> {
    const contentOf = (digest: Digest) => this.contentOf(repository, digest, seesOthers);
    const inspection = this.upstream.inspect(repository, reference.toString());
    const refusal = this.refusalOf(repository, reference, inspection.upstream);
    const explained = await (reference instanceof Digest
      ? this.explainDigest(repository, reference, inspection, refusal, contentOf)
      : this.explainTag(repository, reference, inspection, refusal, contentOf));
    const { isPrivate, ...more } = explained;
    return {
      isPrivate: isPrivate || inspection.upstream.takesCredentials(repository.name),
      isRefused: (await this.refused.findTime(repository)) !== undefined,
      ...more,
      upstream: upstreamText(inspection),
      ...(refusal && { refusal }),
    };
  }

  private async explainTag(
    repository: RepositoryRef,
    tag: Tag,
    inspection: UpstreamInspection,
    refusal: Explained['refusal'],
    contentOf: (digest: Digest) => Promise<ExplainedContent>,
  ): Promise<Found> {
    const { upstream } = inspection;
    const record = await this.tags.find(repository, tag);
    const policy = policyOf(upstream, repository, tag, record);
    const now = this.clock.now();
    const freshness = freshnessOf(record, policy, now);
    const isInDoubt = record !== undefined && this.isInDoubt(repository, record, upstream);
    const isUsable = freshness === 'fresh' || freshness === 'ageing';
    const effective = isUsable && isInDoubt ? 'stale' : freshness;
    const stored = record ? await contentOf(record.digest) : nothing;
    const decided = nextOfTag({
      inspection,
      refusal,
      freshness: effective,
      freshFor: record ? (record.checkedAt + policy.tagTtl - now) / 1000 : 0,
      isInDoubt,
      hasManifest: stored.manifest?.state === 'stored',
    });
    const manifest = record && (await this.manifests.find(repository, record.digest));
    return {
      isPrivate: record?.isPrivate === true || manifest?.isPrivate === true,
      ...(record && { record: recordOf(record, effective, policy.tagTtl, now) }),
      rule: ruleOf(upstream, tag, policy),
      stored,
      now: nextOf(decided, inspection, decided.request?.about === 'digest' ? record?.digest : tag),
    };
  }

  private async explainDigest(
    repository: RepositoryRef,
    digest: Digest,
    inspection: UpstreamInspection,
    refusal: Explained['refusal'],
    contentOf: (digest: Digest) => Promise<ExplainedContent>,
  ): Promise<Found> {
    const record = await this.manifests.find(repository, digest);
    const stored = await contentOf(digest);
    const state = stored.manifest?.state ?? 'missing';
    const isDue = record !== undefined && this.permissions.isDue(repository, record, inspection.upstream);
    const decided = nextOfDigest({ inspection, refusal, state, isDue });
    return { isPrivate: record?.isPrivate === true, stored, now: nextOf(decided, inspection, digest) };
  }

  private async contentOf(repository: RepositoryRef, digest: Digest, seesOthers: boolean): Promise<ExplainedContent> {
    const record = await this.manifests.find(repository, digest);
    return this.content.explain(repository, digest, record?.mediaType, seesOthers);
  }

  private isInDoubt(repository: RepositoryRef, { isPrivate, checkedAt }: TagRecord, upstream: Upstream): boolean {
    return this.permissions.isDue(repository, { isPrivate: isPrivate === true, agreedAt: checkedAt }, upstream);
  }

  private refusalOf(repository: RepositoryRef, reference: Reference, upstream: Upstream): Explained['refusal'] {
    const isRemembered = reference instanceof Digest || remembersRefusals(upstream, reference);
    const key = reference instanceof Digest ? manifestKey(repository, reference) : tagKey(repository, reference);
    const known = isRemembered ? this.refusals.peek(key) : undefined;
    return known && { reason: known.error.message, seconds: known.seconds };
  }
}

function recordOf(
  record: TagRecord,
  freshness: ReturnType<typeof freshnessOf>,
  ttl: number,
  now: number,
): ExplainedRecord {
  const { digest, mediaType, size, checkedAt, resolvedAt, fallback, isPrivate } = record;
  const until = new Date(checkedAt + ttl);
  return {
    digest: digest.toString(),
    mediaType,
    size,
    ...(resolvedAt !== undefined && { resolvedAt: new Date(resolvedAt).toISOString() }),
    confirmedAt: new Date(checkedAt).toISOString(),
    age: ageOf(record, now),
    freshness: freshness === 'unknown' ? 'stale' : freshness,
    ...(!Number.isNaN(until.getTime()) && { freshUntil: until.toISOString() }),
    ...(fallback !== undefined && { fallback }),
    isPrivate: isPrivate === true,
  };
}

const defaults = new UpstreamSettings();

/** @param policy that applies, after what credentials shorten */
function ruleOf({ settings }: Upstream, tag: Tag, policy: ReturnType<typeof policyOf>): ExplainedRule {
  const own = ttlOf(settings.tags, tag.name);
  const rule = settings.tags.find(({ pattern }) => matchesPattern(pattern, tag.name));
  const isShortened = policy.tagTtl < (own ?? settings.tagTtl);
  const setting = isShortened ? 'access_recheck_time' : rule ? 'tags' : 'tag_ttl';
  const isDefault = isShortened
    ? settings.accessRecheckTime === defaults.accessRecheckTime
    : !rule && settings.tagTtl === defaults.tagTtl;
  return {
    lifetime: lifetimeOf(policy.tagTtl, rule !== undefined),
    setting,
    ...(rule && !isShortened && { pattern: rule.pattern }),
    isDefault,
    staleWhileRevalidate: policy.staleWhileRevalidate / 1000,
    ...(policy.maxStale !== undefined && { maxStale: policy.maxStale / 1000 }),
  };
}

function lifetimeOf(ttl: number, isRule: boolean): ExplainedRule['lifetime'] {
  if (ttl === Infinity) return 'immutable';
  return isRule && ttl === 0 ? 'always' : ttl / 1000;
}

/** @param about what the request is for; undefined where there is none */
function nextOf({ request, ...next }: Decided, inspection: UpstreamInspection, about: Reference | undefined): Next {
  if (!request || !about) return next;
  const { method, inBackground } = request;
  const isPaused = inspection.pauses.some((pause) => pause.method === method);
  const target = (isPaused && inspection.fallbacks.find((each) => !each.isPaused)) || inspection;
  const url = `${target.base}${about.toString()}`;
  const { credentials } = target;
  return {
    ...next,
    request: { method, url, inBackground, ...(credentials && { credentials: credentialsText(credentials) }) },
  };
}
