import type { UpstreamInspection } from '../../upstream/health/inspection.js';
import type { Freshness } from '../mirrored/freshness/freshness.js';
import type { Next } from './explanation.js';

type Method = 'GET' | 'HEAD';

/** A request before its URL is known: about the reference, or about the digest that a tag names. */
interface Wanted {
  readonly method: Method;
  readonly about: 'reference' | 'digest';
  readonly inBackground: boolean;
}

/** As `Next`, with the request as it was decided. */
export interface Decided extends Omit<Next, 'request'> {
  readonly request?: Wanted;
}

/** What a decision depends on. */
export interface Situation {
  readonly inspection: UpstreamInspection;
  /** A refusal that is remembered. */
  readonly refusal: { readonly reason: string; readonly seconds: number } | undefined;
}

export interface TagSituation extends Situation {
  readonly freshness: Freshness;
  /** Seconds until the record is to be confirmed; of a fresh one. */
  readonly freshFor: number;
  /** Whether the permission for a record that is still fresh is to be rechecked. */
  readonly isInDoubt: boolean;
  /** Whether the manifest that the record names can be served. */
  readonly hasManifest: boolean;
}

export interface DigestSituation extends Situation {
  readonly state: 'stored' | 'elsewhere' | 'missing';
  /** Whether the permission for it is to be rechecked. */
  readonly isDue: boolean;
}

/** What a pull of a tag would do, in the order in which `TagResolver` decides. */
export function nextOfTag(situation: TagSituation): Decided {
  const { freshness, refusal, inspection, isInDoubt } = situation;
  const hasRecord = freshness !== 'unknown';
  if (freshness === 'fresh') return nextOfFresh(situation);
  if (refusal) return refused(refusal);
  const method: Method = hasRecord && inspection.supportsHead !== false ? 'HEAD' : 'GET';
  const pause = pauseOf(inspection, method);
  const background = pause ? {} : { request: { method, about: 'reference', inBackground: true } as const };
  if (freshness === 'ageing')
    return { outcome: 'stale', reason: 'it is past its lifetime, and within stale_while_revalidate', ...background };
  if (freshness === 'stale' && inspection.isSlow)
    return { outcome: 'stale', reason: `${inspection.host} is slow: the request does not wait for it`, ...background };
  if (pause) {
    if (freshness === 'stale') return { outcome: 'stale', reason: `${pause}: what is stored is served` };
    const why = freshness === 'expired' ? 'the record is older than max_stale allows' : 'nothing is stored for the tag';
    return { outcome: 'failed', reason: `${pause}, and ${why}` };
  }
  return { outcome: 'ask', reason: reasonToAsk(freshness, isInDoubt), request: wanted(method) };
}

function nextOfFresh({ hasManifest, freshFor, inspection }: TagSituation): Decided {
  const until = freshFor === Infinity ? 'for ever, by its rule' : `for another ${Math.ceil(freshFor)} s`;
  if (hasManifest) return { outcome: 'hit', reason: `the record is fresh ${until}: the upstream is not asked` };
  const pause = pauseOf(inspection, 'GET');
  if (pause) return { outcome: 'failed', reason: `the manifest that the tag names is not stored, and ${pause}` };
  const request = { method: 'GET', about: 'digest', inBackground: false } as const;
  return { outcome: 'ask', reason: 'the record is fresh, and the manifest that it names is not stored', request };
}

function reasonToAsk(freshness: Freshness, isInDoubt: boolean): string {
  if (freshness === 'unknown') return 'the tag is not known here';
  if (freshness === 'expired') return 'the record is older than max_stale allows: only the upstream can serve it';
  return isInDoubt
    ? 'the record is fresh, and the permission for it is to be rechecked'
    : 'the record is past its lifetime: the upstream is asked before it is served';
}

/** What a pull by digest would do, in the order in which `MirroredManifestsService` decides. */
export function nextOfDigest({ inspection, refusal, state, isDue }: DigestSituation): Decided {
  if (state === 'stored' && !isDue) return { outcome: 'hit', reason: 'it is stored, and a digest never changes' };
  if (state === 'stored' && inspection.isSlow)
    return { outcome: 'hit', reason: `${inspection.host} is slow: the permission is rechecked later` };
  if (refusal) return refused(refusal);
  const method: Method = state === 'missing' || inspection.supportsHead === false ? 'GET' : 'HEAD';
  const pause = pauseOf(inspection, method);
  if (pause && state === 'stored') return { outcome: 'hit', reason: `it is stored; ${pause}` };
  if (pause) return { outcome: 'failed', reason: `it is not stored for this repository, and ${pause}` };
  const reasons = {
    stored: 'it is stored, and the permission for it is to be rechecked',
    elsewhere: 'it is stored for another repository: the upstream has to agree first',
    missing: 'it is not stored',
  } as const;
  return { outcome: 'ask', reason: reasons[state], request: wanted(method) };
}

function refused({ reason, seconds }: { readonly reason: string; readonly seconds: number }): Decided {
  return { outcome: 'refused', reason: `${reason}; this is remembered for another ${seconds} s` };
}

function wanted(method: Method): Wanted {
  return { method, about: 'reference', inBackground: false };
}

/** Why the request would not be sent to anybody; undefined also while a fallback would have it. */
function pauseOf({ pauses, fallbacks }: UpstreamInspection, method: Method): string | undefined {
  const pause = pauses.find((each) => each.method === method);
  if (!pause || fallbacks.some(({ isPaused }) => !isPaused)) return undefined;
  return pause.retryAfter === undefined ? pause.reason : `${pause.reason} for about ${pause.retryAfter} s`;
}
