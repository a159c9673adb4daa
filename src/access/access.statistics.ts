import { rights } from '../config/access/rule.settings.js';
import { limitKinds, type LimitKind } from './limits/rate.limits.js';

/** Files whose changes count while the server runs. */
export const fileKinds = [
  'access',
  'users',
  'robots',
  'token_keys',
  'issuer_keys',
  'issuer_ca',
  'client_ca',
  'ldap_ca',
  'ldap_password',
] as const;
export type FileKind = (typeof fileKinds)[number];

/** What a request identifies itself with: `ldap` is a password that a directory is asked about, `other` a header of nonsense. */
export const signInMethods = ['password', 'ldap', 'token', 'certificate', 'other'] as const;
const signInResults = ['accepted', 'credentials', 'expired', 'malformed', 'busy', 'unavailable'] as const;

/** Plain counts since the start, read on each scrape. Their keys are fixed, so that no request adds one. */
export class AccessStatistics {
  /** Changes of files by whether the new content is in use. */
  readonly fileChanges = countsBy(fileKinds, ['applied', 'rejected'] as const);
  /** Credentials of requests by how they ended; requests without any are not counted. */
  readonly signIns = countsBy(signInMethods, signInResults);
  /** What the rules, and the scopes of tokens, have decided about requests. */
  readonly decisions = countsBy(rights, ['allowed', 'denied'] as const);
  /** Lines that the audit log does not have, because it is too slow or cannot be written. */
  auditLinesDropped = 0;
  /** Requests that a limit refused. */
  readonly limited = Object.fromEntries(limitKinds.map((kind) => [kind, 0])) as Record<LimitKind, number>;
}

type Counts<Key extends string, Result extends string> = Readonly<Record<Key, Record<Result, number>>>;

function countsBy<Key extends string, Result extends string>(
  keys: readonly Key[],
  results: readonly Result[],
): Counts<Key, Result> {
  const zeros = () => Object.fromEntries(results.map((result) => [result, 0])) as Record<Result, number>;
  return Object.fromEntries(keys.map((key) => [key, zeros()])) as Counts<Key, Result>;
}
