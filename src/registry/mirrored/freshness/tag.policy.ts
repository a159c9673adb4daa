import { ttlOf } from '../../../config/tag-rule.settings.js';
import type { Digest } from '../../../oci/digest.js';
import type { Tag } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { TagRecord } from '../../../storage/stores/tag.store.js';
import type { Upstream } from '../../../upstream/upstream.js';
import type { FreshnessPolicy } from './freshness.js';

/** Tags obtained with credentials are revalidated at least as often as permission is rechecked. */
export function policyOf(
  upstream: Upstream,
  repository: RepositoryRef,
  tag: Tag,
  record: TagRecord | undefined,
): FreshnessPolicy {
  const { settings } = upstream;
  const { accessRecheckTime, maxStale } = settings;
  const rule = ttlOf(settings.tags, tag.name);
  const tagTtl = rule ?? settings.tagTtl;
  // `always` promises that the upstream is asked before the response, and not behind it.
  const staleWhileRevalidate = rule === 0 ? 0 : settings.staleWhileRevalidate;
  if (!upstream.takesCredentials(repository.name) && record?.isPrivate !== true)
    return { tagTtl, staleWhileRevalidate, maxStale };
  const time = Math.min(tagTtl, accessRecheckTime);
  return {
    tagTtl: time,
    staleWhileRevalidate: Math.min(staleWhileRevalidate, accessRecheckTime - time),
    maxStale,
  };
}

/** Whether a refusal of a tag is remembered for a while: whoever wants to be asked every time wants to see a push at once. */
export function remembersRefusals({ settings }: Upstream, tag: Tag): boolean {
  return (ttlOf(settings.tags, tag.name) ?? settings.tagTtl) > 0;
}

/** Identifies a tag among refusals and requests. */
export function tagKey(repository: RepositoryRef, tag: Tag): string {
  return `${repository.toString()}:${tag.name}`;
}

/** As `tagKey`, for a manifest by its digest. */
export function manifestKey(repository: RepositoryRef, digest: Digest): string {
  return `manifest ${repository.toString()} ${digest.toString()}`;
}
