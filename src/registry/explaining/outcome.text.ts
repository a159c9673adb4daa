import type { LastOutcome } from '../statistics/last.outcomes.js';
import type { ExplainedOutcome } from './explanation.js';

const reasons: Record<Exclude<LastOutcome['outcome'], 'refused' | 'failed'>, string> = {
  hit: 'what is stored was fresh, and was served without asking the upstream; hits since then are not noted one by one',
  miss: 'it was not stored, and was fetched from the upstream',
  revalidated: 'the upstream confirmed what was stored before it was served',
  stale:
    'what is stored was served past its lifetime: the upstream did not confirm it in time, or is asked behind the response',
};

/** Of what is pushed here, which is neither fresh nor stale. */
const hostedHit = 'it was served from what was pushed here; hits since then are not noted one by one';

const unknown: ExplainedOutcome = {
  outcome: 'unknown',
  why: 'this process remembers no pull of this reference: there was none since its start, another process served it, or newer ones took its place',
};

/** How the last pull ended, as `LastOutcomes` remembers it. */
export function explainOutcome(last: LastOutcome | undefined, isHosted: boolean): ExplainedOutcome {
  if (!last) return unknown;
  const { before, ...rest } = last;
  return { ...textOf(rest, isHosted), ...(before && { before: textOf(before, isHosted) }) };
}

function textOf(
  { outcome, at, digest, reason = '', isByRules }: Omit<LastOutcome, 'before'>,
  isHosted: boolean,
): ExplainedOutcome {
  const text = outcome === 'refused' || outcome === 'failed' ? reason : reasons[outcome];
  const why = isHosted && outcome === 'hit' ? hostedHit : text;
  return {
    outcome,
    at: new Date(at).toISOString(),
    ...(digest !== undefined && { digest }),
    why,
    ...(isByRules === true && { isByRules }),
  };
}
