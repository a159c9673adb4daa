import { isAnonymous } from '../../access/rules/identity.js';
import type { SignedIn } from '../../access/sign-in.js';

/** Whoever changes something from a page. */
export interface Operator {
  /** Undefined for somebody at the admin address, which asks nobody who he is. */
  readonly signedIn: SignedIn | undefined;
  readonly address: string;
  /** Id of the request, as in its log line. */
  readonly request: string;
  /** Number of the rule that allows what he does, from 1; undefined where no rule decides, as at the admin address. */
  readonly rule?: number | undefined;
}

/** The identity; undefined for somebody who has none. */
export function subjectOf({ signedIn }: Operator): string | undefined {
  return signedIn && !isAnonymous(signedIn.identity) ? signedIn.identity.subject : undefined;
}
