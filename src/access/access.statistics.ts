import { limitKinds, type LimitKind } from './limits/rate.limits.js';

/** Files whose changes count while the server runs. */
export const fileKinds = ['access', 'users', 'robots', 'token_keys', 'issuer_keys', 'issuer_ca', 'client_ca'] as const;
export type FileKind = (typeof fileKinds)[number];

/** Plain counts since the start, read on each scrape. Their keys are fixed, so that no request adds one. */
export class AccessStatistics {
  /** Changes of files by whether the new content is in use. */
  readonly fileChanges = countsBy(fileKinds, ['applied', 'rejected'] as const);
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
