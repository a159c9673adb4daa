import type { Clock } from '../../config/clock/clock.js';
import type { SourceKind } from '../../config/credentials/credential.settings.js';
import type { Secret } from '../../config/values/secret.js';

/** What a source gave. */
export interface UpstreamCredentials {
  readonly username: string;
  readonly password: Secret;
  /** An identity token is exchanged by POST at the token realm (`grant_type=refresh_token`), never sent as a password. */
  readonly kind: 'password' | 'identity-token';
  /** In milliseconds since 1970; undefined when no end is known. */
  readonly expiresAt?: number;
  /** Whose they are, for operators: `AWS arn:aws:iam::…`, `user anna of /etc/…/config.json`. Never a secret. */
  readonly identity: string;
}

/** Whether two are one for a registry. */
export function isSame(one: UpstreamCredentials | undefined, other: UpstreamCredentials | undefined): boolean {
  return accountOf(one) === accountOf(other) && one?.password.reveal() === other?.password.reveal();
}

export function accountOf(credentials: UpstreamCredentials | undefined): string {
  return credentials === undefined ? '' : `${credentials.kind} ${credentials.username}`;
}

/** What a source knows of the registry that it is for. */
export interface SourceContext {
  /** As configured: a host name or an address, with a port unless that is the default one. */
  readonly host: string;
  /** `https://host` or `http://host`. */
  readonly base: URL;
  /** Private CAs of the registry, PEM. */
  readonly certificateAuthorities: string | undefined;
  readonly acceptInvalidCerts: boolean;
  readonly clock: Clock;
}

/**
 * Where the credentials of an upstream come from. A source keeps nothing that has to be refreshed: who calls it keeps what
 * it gave (`RefreshedCredentials`).
 */
export interface CredentialSource {
  /** For logs and metrics. */
  readonly kind: SourceKind;
  /**
   * The newest credentials; undefined when the source has none for this registry.
   * @param signal ends the wait. @param part as returned by `partOf`
   * @throws CredentialError
   */
  fetch(signal: AbortSignal, part?: string): Promise<UpstreamCredentials | undefined>;
  /**
   * For a source that has several credentials for one registry: a name of those for a repository, by its name at the
   * registry. @throws CredentialError
   */
  partOf?(repository: string): Promise<string>;
  /** Changes when what `fetch` reads has changed; undefined when there is nothing to watch. Cheap. @throws Error */
  mark?(): Promise<string>;
  /** Whether what `fetch` reads has been written to its end; absent when half of it would not be valid. Never rejects. */
  isResting?(): Promise<boolean>;
  /** Closes what it has open. */
  close?(): void;
}

/** Why a source gives no credentials. The message has no secret and says what to do. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
}
