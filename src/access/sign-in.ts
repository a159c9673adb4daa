import type { Identity } from './rules/identity.js';

/** Who a request is from, as far as its credentials show. */
export interface SignedIn {
  readonly identity: Identity;
  /** Where the identity comes from: `htpasswd`, `ldap`, `robots`, the URL of an issuer; undefined when anonymous. */
  readonly issuer?: string;
  /** Why the certificate of the connection does not count: a code of OpenSSL. */
  readonly problem?: string;
  /** Why it is not known whether the password is right; until then the sender counts as one without credentials. */
  readonly undecided?: SignInRefused;
  /** Those of the groups that the directory says. */
  readonly directoryGroups?: readonly string[];
  /** Of the token that the request bears. */
  readonly tokenId?: string;
  /** What the token was issued for; undefined when the credentials have no such limit. */
  readonly scopes?: readonly GrantedScope[];
}

/** What a token of this server allows at most. */
export interface GrantedScope {
  readonly type: string;
  /** Canonical. */
  readonly name: string;
  readonly actions: readonly string[];
}

/** Why credentials are not accepted. */
export class SignInRefused extends Error {
  override readonly name = 'SignInRefused';
  /** `ldap` when the directory of users was to tell. */
  method?: 'ldap';

  /**
   * @param reason `unavailable` when who could tell cannot be reached.
   * @param retryAfter seconds, for `busy` and `unavailable`
   */
  constructor(
    readonly reason: 'credentials' | 'expired' | 'malformed' | 'busy' | 'unavailable',
    readonly retryAfter?: number,
  ) {
    super(reason);
  }
  /** The same refusal for another reason. */
  as(reason: SignInRefused['reason']): SignInRefused {
    return Object.assign(new SignInRefused(reason), this.method && { method: this.method });
  }
}
