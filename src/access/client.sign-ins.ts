import type { TLSSocket } from 'node:tls';
import type { AccessPolicy } from './access.policy.js';
import type { AccessStatistics } from './access.statistics.js';
import { readAuthorization } from './authorization.js';
import type { ClientOrigin, ClientRequest } from './client.origin.js';
import { SignInRefused, type SignedIn } from './sign-in.js';
import type { TokenService, VerifiedToken } from './tokens/token.service.js';

/** A sign-in that needed no wait, by what the request had. */
export interface Recalled {
  readonly kind: 'none' | 'token' | 'password';
  readonly signedIn: SignedIn;
}

/** A client's address, and its connection if that is TLS. */
export type SigningClient = Pick<ClientRequest, 'tls'> & Pick<ClientOrigin, 'address'>;

/** Finds out who clients are, by the kind of their credentials, and counts what came of it. */
export class ClientSignIns {
  /** @param policy of the moment */
  constructor(
    private readonly policy: () => AccessPolicy,
    private readonly tokens: TokenService,
    private readonly statistics: AccessStatistics,
  ) {}

  /**
   * Who sent a request. Tokens of this server are checked without I/O.
   * @param headers its Authorization headers. @param client its address, and its connection if that is TLS.
   * @param lateness seconds after its end for which such a token still counts.
   * @throws SignInRefused
   */
  async signIn(headers: readonly string[], { address, tls }: SigningClient, lateness = 0): Promise<SignedIn> {
    const credentials = readAuthorization(headers);
    if (credentials.kind === 'none') return this.signInBySocket(tls);
    const method = credentials.kind === 'malformed' ? 'other' : credentials.kind;
    const countsOf = (isLdap: boolean) =>
      this.statistics.signIns[isLdap && credentials.kind === 'password' ? 'ldap' : method];
    try {
      if (credentials.kind === 'malformed') throw new SignInRefused('malformed');
      const signedIn =
        credentials.kind === 'token'
          ? await this.signInByToken(credentials.token.reveal(), lateness)
          : await this.policy().authenticator.signIn(credentials, address);
      countsOf(signedIn.issuer === 'ldap').accepted += 1;
      return signedIn;
    } catch (error) {
      if (error instanceof SignInRefused) countsOf(error.method === 'ldap')[error.reason] += 1;
      if (!(error instanceof SignInRefused) || credentials.kind !== 'password' || !this.takesUnknown) throw error;
      // Docker sends the password of Docker Hub to its mirrors.
      if (error.reason === 'credentials') return this.signInBySocket(tls);
      if (error.method !== 'ldap') throw error;
      // A directory that does not respond concerns its own users only.
      return { ...this.signInBySocket(tls), undecided: error };
    }
  }

  /**
   * As `signIn`, from what is known without waiting and without counting it; undefined where `signIn` has to decide.
   * @param header the only Authorization header of the request, if it has one
   */
  recall(header: string | undefined, { tls }: Pick<ClientRequest, 'tls'>): Recalled | undefined {
    const credentials = readAuthorization(header === undefined ? [] : [header]);
    const { authenticator } = this.policy();
    if (credentials.kind === 'none') return { kind: 'none', signedIn: authenticator.signInBySocket(tls) };
    if (credentials.kind === 'malformed') return undefined;
    const { kind } = credentials;
    const signedIn =
      kind === 'token' ? this.recallToken(credentials.token.reveal()) : authenticator.recall(credentials);
    return signedIn && { kind, signedIn };
  }

  /**
   * Who the sender of an earlier request is now, without waiting and without counting it; undefined where he would have
   * to sign in again.
   * @param header the Authorization header of that request, if it had one
   */
  renew(signedIn: SignedIn, header: string | undefined, { tls }: Pick<ClientRequest, 'tls'>): SignedIn | undefined {
    const credentials = readAuthorization(header === undefined ? [] : [header]);
    return this.policy().authenticator.renew(signedIn, credentials, tls);
  }

  /** Counts a sign-in that was recalled, as `signIn` does. */
  countRecalled({ kind, signedIn }: Recalled): void {
    if (kind === 'none') this.countSocket(signedIn);
    else this.statistics.signIns[kind].accepted += 1;
  }

  private get takesUnknown(): boolean {
    return this.policy().settings.unknownCredentials === 'anonymous';
  }

  private signInBySocket(tls: TLSSocket | undefined): SignedIn {
    const signedIn = this.policy().authenticator.signInBySocket(tls);
    this.countSocket(signedIn);
    return signedIn;
  }

  private countSocket({ issuer, problem }: SignedIn): void {
    const { certificate } = this.statistics.signIns;
    if (issuer === 'certificate') certificate.accepted += 1;
    else if (problem === 'CERT_HAS_EXPIRED') certificate.expired += 1;
    else if (problem !== undefined) certificate.credentials += 1;
  }

  private async signInByToken(token: string, lateness: number): Promise<SignedIn> {
    if (!this.tokens.isOwn(token)) return this.policy().authenticator.signInByToken(token);
    const signedIn = this.refreshed(await this.tokens.verify(token, this.policy().service, lateness));
    if (!signedIn) throw new SignInRefused('credentials');
    return signedIn;
  }

  private recallToken(token: string): SignedIn | undefined {
    const verified = this.tokens.recall(token, this.policy().service);
    return verified && this.refreshed(verified);
  }

  /** A user who was removed since has no rights, and one whose groups changed has those of the new ones. */
  private refreshed({ identity, issuer, tokenId, scopes }: VerifiedToken): SignedIn | undefined {
    const current = this.policy().authenticator.refresh(identity, issuer);
    return current && { identity: current, issuer, tokenId, scopes };
  }
}
