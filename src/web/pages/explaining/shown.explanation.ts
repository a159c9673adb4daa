import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { ExplainedOutcome, Explanation, Next } from '../../../registry/explaining/explanation.js';
import type { Visitor } from '../../visitor.js';

/**
 * What of an explanation its visitor may know. Who administers the repository knows all of it. Without an access file others
 * know nothing of credentials, and nothing of what needed them. Who may pull by the rules knows what pulls tell as well.
 * @throws OciError NOT_FOUND
 */
export function explanationFor(visitor: Visitor, repository: RepositoryRef, whole: Explanation): Explanation {
  if (visitor.isAdministrator || visitor.may('admin', repository)) return whole;
  if (!visitor.reader && whole.isPrivate) throw new OciError('NOT_FOUND');
  const { record, upstream, refusal, stored, now, last, ...known } = whole;
  const own = whole.isRefused ? { stored: { images: [], isCut: false } } : { stored, ...(record && { record }) };
  return {
    ...known,
    ...own,
    ...(refusal && { refusal }),
    ...(upstream && !visitor.reader && { upstream }),
    last: withoutOthers(last),
    now: visitor.reader ? withoutRequest(now) : now,
  };
}

/** What the rules refused to others is theirs to know. */
function withoutOthers(last: ExplainedOutcome): ExplainedOutcome {
  const { before, ...own } = last;
  const earlier = before?.isByRules === true ? undefined : before;
  if (last.isByRules === true)
    return (
      earlier ?? { outcome: 'unknown', why: 'this process remembers no pull of this reference that you may know of' }
    );
  return { ...own, ...(earlier && { before: earlier }) };
}

function withoutRequest({ outcome, reason }: Next): Next {
  return { outcome, reason };
}
