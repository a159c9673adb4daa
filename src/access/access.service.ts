import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { AccessSettings } from '../config/access/access.settings.js';
import type { Right } from '../config/access/rule.settings.js';
import { ConfigurationError, type Problem } from '../config/configuration-error.js';
import { Clock } from '../config/clock/clock.js';
import { accessSettings } from '../config/config.module.js';
import type { RepositoryRef } from '../oci/repository.js';
import { Authenticator } from './authenticators/authenticator.js';
import { AuditLog, type AuditEntry } from './audit.log.js';
import { readAuthorization } from './authorization.js';
import { ClientOrigins, type ClientOrigin, type ClientRequest } from './client.origin.js';
import { AccessRules, type Decision } from './rules/access.rules.js';
import { anonymous, type Identity } from './rules/identity.js';
import { SignInRefused, type GrantedScope, type SignedIn } from './sign-in.js';
import { KeyStore } from './tokens/key.store.js';
import { TokenKeys } from './tokens/token.keys.js';
import { tokenLifetime, TokenService } from './tokens/token.service.js';

/** A token as the token endpoint gives it. */
export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** Who clients are and what they may do. Without an access file nobody signs in, and rules decide nothing. */
@Injectable()
export class AccessService implements OnModuleInit, OnApplicationShutdown {
  private readonly rules: AccessRules;
  private readonly authenticator: Authenticator;
  private readonly keys: TokenKeys;
  private readonly tokens: TokenService;
  private readonly origins: ClientOrigins;
  private readonly audit: AuditLog;
  /** The name of this server in the token protocol, which its tokens are issued for. */
  readonly service: string;

  constructor(
    @Inject(accessSettings) private readonly settings: AccessSettings | undefined,
    @Inject(Clock) clock: Clock,
    store: KeyStore,
  ) {
    this.rules = new AccessRules(settings?.rules ?? []);
    this.authenticator = new Authenticator(settings, clock);
    this.audit = new AuditLog(settings?.auditLog, () => clock.now());
    this.origins = new ClientOrigins(settings?.publicUrl, settings?.trustedProxies ?? []);
    this.service = settings?.publicUrl === undefined ? 'oci-registry' : new URL(settings.publicUrl).host;
    this.keys = new TokenKeys(settings?.tokenKeyFile, store, () => clock.monotonic());
    this.tokens = new TokenService(
      () => this.keys.current,
      () => clock.now(),
    );
  }

  /** Whether an access file is there. */
  get isEnabled(): boolean {
    return this.settings !== undefined;
  }

  /** @throws ConfigurationError when a file cannot be read; StorageError when the key of tokens cannot be kept */
  async onModuleInit(): Promise<void> {
    if (!this.settings) return;
    const loads = await Promise.allSettled([this.authenticator.load(), this.keys.loadFile()]);
    const problems = loads.flatMap((load): Problem[] => {
      if (load.status === 'fulfilled') return [];
      const reason = load.reason instanceof Error ? load.reason.message : 'unreadable';
      return [{ path: '--access-file', kind: 'a file', reason }];
    });
    if (problems.length > 0) throw new ConfigurationError(problems);
    await this.keys.loadStored();
  }

  onApplicationShutdown(): Promise<void> {
    return this.audit.close();
  }

  get isAudited(): boolean {
    return this.audit.isOn;
  }

  /** Notes a decision in the audit log. */
  note(entry: AuditEntry): void {
    this.audit.write(entry);
  }

  clientOf(request: ClientRequest): ClientOrigin {
    return this.origins.of(request);
  }

  /**
   * Who sent a request. Tokens of this server are checked without I/O.
   * @param headers its Authorization headers. @param address of the client.
   * @throws SignInRefused
   */
  async signIn(headers: readonly string[], address: string): Promise<SignedIn> {
    const credentials = readAuthorization(headers);
    if (credentials.kind === 'none') return { identity: anonymous };
    if (credentials.kind === 'malformed') throw new SignInRefused('malformed');
    try {
      if (credentials.kind === 'token') return await this.signInByToken(credentials.token.reveal());
      return await this.authenticator.signIn(credentials, address);
    } catch (error) {
      const isUnknown = error instanceof SignInRefused && error.reason === 'credentials';
      // Docker sends the password of Docker Hub to its mirrors.
      const isForgiven = isUnknown && credentials.kind === 'password';
      if (isForgiven && this.settings?.unknownCredentials === 'anonymous') return { identity: anonymous };
      throw error;
    }
  }

  /** Whether the credentials allow it: by the rules, and within the scopes of a token. */
  decide({ identity, scopes }: SignedIn, right: Right, repository: RepositoryRef): Decision {
    const decision = this.rules.decide(identity, right, repository);
    if (!decision.isAllowed || scopes === undefined || covers(scopes, right, repository)) return decision;
    // A token for something else takes away nothing that everybody may do.
    return this.rules.decide(anonymous, right, repository);
  }

  /** By the rules alone, whatever a token was issued for. */
  decideByRules(identity: Identity, right: Right, repository: RepositoryRef): Decision {
    return this.rules.decide(identity, right, repository);
  }

  /**
   * Whether someone may administer a repository, or without one the whole server. A token of the token protocol cannot:
   * it is for its scopes.
   */
  mayAdminister(signedIn: SignedIn | undefined, repository?: RepositoryRef): boolean {
    if (!signedIn || signedIn.scopes !== undefined) return false;
    const { identity } = signedIn;
    if (repository) return this.rules.decide(identity, 'admin', repository).isAllowed;
    return this.rules.decideEverywhere(identity, 'admin').isAllowed;
  }

  /** @param scopes already reduced to what the identity may do */
  async issue({ identity, issuer }: SignedIn, scopes: readonly GrantedScope[]): Promise<IssuedToken> {
    const token = await this.tokens.issue(identity, issuer ?? '', scopes, this.service);
    return { token, expiresIn: tokenLifetime };
  }

  private async signInByToken(token: string): Promise<SignedIn> {
    if (!this.tokens.isOwn(token)) return this.authenticator.signInByToken(token);
    const { identity, issuer, tokenId, scopes } = await this.tokens.verify(token, this.service);
    // A user who was removed since has no rights, and one whose groups changed has those of the new ones.
    const current = this.authenticator.refresh(identity);
    if (!current) throw new SignInRefused('credentials');
    return { identity: current, issuer, tokenId, scopes };
  }
}

function covers(scopes: readonly GrantedScope[], right: Right, repository: RepositoryRef): boolean {
  const name = repository.toString();
  const isPull = right === 'pull';
  return scopes.some(
    (scope) =>
      scope.type === 'repository' &&
      scope.name === name &&
      (scope.actions.includes(right) || (isPull && scope.actions.includes('push'))),
  );
}
