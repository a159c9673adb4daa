import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { readAccess } from '../config/access/access-file.js';
import type { AccessSettings } from '../config/access/access.settings.js';
import type { Right } from '../config/access/rule.settings.js';
import { Clock } from '../config/clock/clock.js';
import { accessSettings } from '../config/config.module.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { ServerSettings } from '../config/server.settings.js';
import type { RepositoryRef } from '../oci/repository.js';
import { AccessPolicy } from './access.policy.js';
import { AccessStatistics } from './access.statistics.js';
import type { AuditEntry } from './audit.log.js';
import { ClientOrigins, type ClientOrigin, type ClientRequest } from './client.origin.js';
import { lookInterval, WatchedFile, type FileContext, type FileState } from './files/watched.file.js';
import type { Allotment } from './limits/rate.limits.js';
import type { Decision, Granting } from './rules/access.rules.js';
import { Reader } from './reader.js';
import { anonymous, namedIdentity, type Identity, type NamedSubject } from './rules/identity.js';
import type { GrantedScope, SignedIn } from './sign-in.js';
import { ClientSignIns, type Recalled, type SigningClient } from './client.sign-ins.js';
import { KeyStore } from './tokens/key.store.js';
import { tokenLifetime, TokenService } from './tokens/token.service.js';

/** A token as the token endpoint gives it. */
export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** Those that fit into the token. */
  readonly scopes: readonly GrantedScope[];
}

const withoutProxies = new ClientOrigins(undefined, []);

/** Who clients are and what they may do. Without an access file nobody signs in, and rules decide nothing. */
@Injectable()
export class AccessService implements OnModuleInit, OnApplicationShutdown {
  readonly statistics = new AccessStatistics();
  private readonly logger = new Logger('Access');
  private readonly tokens: TokenService;
  private readonly signIns: ClientSignIns;
  private readonly context: FileContext;
  /** Undefined where the settings came without a file. */
  private readonly file: WatchedFile<AccessPolicy> | undefined;
  private readonly listeners: ((settings: AccessSettings) => void)[] = [];
  private authoritiesListener: (pem: string | undefined) => void = () => undefined;
  private authorities: string | undefined;
  private current: AccessPolicy | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(accessSettings) private readonly settings: AccessSettings | undefined,
    { accessFile }: ServerSettings,
    @Inject(Clock) clock: Clock,
    private readonly store: KeyStore,
  ) {
    this.context = { clock, statistics: this.statistics };
    const open = (text: string) => AccessPolicy.open(readAccess(text), this.context, store, this.current);
    if (settings && accessFile !== undefined) this.file = new WatchedFile('access', accessFile, open, this.context);
    this.tokens = new TokenService(
      () => this.policy.keys.current,
      () => clock.now(),
    );
    this.signIns = new ClientSignIns(() => this.policy, this.tokens, this.statistics);
  }

  /** Whether an access file is there. */
  get isEnabled(): boolean {
    return this.settings !== undefined;
  }

  /** The name of this server in the token protocol, which its tokens are issued for. */
  get service(): string {
    return this.policy.service;
  }

  /** @throws ConfigurationError when a file cannot be read; StorageError when the key of tokens cannot be kept */
  async onModuleInit(): Promise<void> {
    if (!this.settings) return;
    this.current = await AccessPolicy.open(this.settings, this.context, this.store);
    await this.look();
    if (this.file?.state.rejected)
      throw new ConfigurationError([
        { path: '--access-file', kind: 'a file', reason: this.file.state.rejected.reason },
      ]);
    this.timer = setInterval(() => void this.look(), lookInterval).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.current?.audit.close();
  }

  /** The access file and those that it names; empty without one. */
  get files(): readonly FileState[] {
    const files = [this.file ?? [], this.current?.files ?? []].flat();
    return files.map(({ state }) => state);
  }

  /** @param listener gets the settings of each new version of the access file */
  onChange(listener: (settings: AccessSettings) => void): void {
    this.listeners.push(listener);
  }

  /** Reads all files that have changed. Never throws. @returns what came of it */
  async look(): Promise<string> {
    await this.file?.look();
    this.adopt();
    await Promise.all((this.current?.files ?? []).map((file) => file.look()));
    const pem = this.current?.authenticator.certificates?.authorities?.pem;
    if (pem !== this.authorities) this.authoritiesListener(pem);
    this.authorities = pem;
    const rejected = this.files.filter((file) => file.rejected);
    if (rejected.length === 0) return `the access file and those that it names are in use: ${this.files.length}`;
    const lines = rejected.map(({ path, rejected: { reason } = { reason: '' } }) => `${path}: ${reason}`);
    return `files of access have mistakes, what was read before stays: ${lines.join('; ')}`;
  }

  /** As `look`, when somebody asks for it: waits for a file that is being written. Never throws. */
  async readAgain(): Promise<string> {
    const files = [this.file ?? [], this.current?.files ?? []].flat();
    const writing = await Promise.all(files.map(async (file) => ((await file.rests()) ? [] : file.path)));
    const came = await this.look();
    const paths = writing.flat();
    return paths.length === 0 ? came : `${came}; still being written, and not read: ${paths.join(', ')}`;
  }

  /** Takes the newest valid version of the access file. */
  private adopt(): void {
    const [policy, previous] = [this.file?.peek(), this.current];
    if (!policy || policy === previous) return;
    this.current = policy;
    if (previous && previous.audit !== policy.audit)
      void previous.audit.close().catch((error: unknown) => this.logger.error(`audit log: ${String(error)}`));
    for (const listener of this.listeners) listener(policy.settings);
  }

  /** @throws Error without an access file */
  private get policy(): AccessPolicy {
    if (!this.current) throw new Error('there is no access file');
    return this.current;
  }

  /** Whether a connection has a certificate, accepted or not. */
  hasCertificate(tls: TLSSocket | undefined): boolean {
    const { certificates } = this.policy.authenticator;
    return tls !== undefined && certificates?.subjectOf(tls) !== undefined;
  }

  /** @param listener gets the CAs of client certificates in PEM, now and when they change; undefined for none */
  onClientAuthorities(listener: (pem: string | undefined) => void): void {
    this.authoritiesListener = listener;
  }

  /** Secrets that all replicas share, for what this server has to recognize again. The first is to be used. Empty without an access file. */
  get sharedSecrets(): readonly Buffer[] {
    return (this.current?.keys.current ?? []).map(({ privateKey }) =>
      createHash('sha256')
        .update('oci-registry pages')
        .update(privateKey.export({ type: 'pkcs8', format: 'der' }))
        .digest(),
    );
  }

  get isAudited(): boolean {
    return this.policy.audit.isOn;
  }

  /** Notes a decision in the audit log. */
  note(entry: AuditEntry): void {
    this.policy.audit.write(entry);
  }

  clientOf(request: ClientRequest): ClientOrigin {
    return (this.current?.origins ?? withoutProxies).of(request);
  }

  /** See `ClientSignIns.signIn`. @throws SignInRefused */
  signIn(headers: readonly string[], client: SigningClient, lateness = 0): Promise<SignedIn> {
    return this.signIns.signIn(headers, client, lateness);
  }

  /** See `ClientSignIns.recall`. */
  recall(header: string | undefined, client: Pick<ClientRequest, 'tls'>): Recalled | undefined {
    return this.signIns.recall(header, client);
  }

  /** See `ClientSignIns.renew`. */
  renew(signedIn: SignedIn, header: string | undefined, client: Pick<ClientRequest, 'tls'>): SignedIn | undefined {
    return this.signIns.renew(signedIn, header, client);
  }

  /** Counts a sign-in that was recalled, as `signIn` does. */
  countRecalled(recalled: Recalled): void {
    this.signIns.countRecalled(recalled);
  }

  /** Whether the credentials allow it: by the rules, and within the scopes of a token. */
  decide({ identity, scopes }: SignedIn, right: Right, repository: RepositoryRef): Decision {
    const decision = this.policy.rules.decide(identity, right, repository);
    if (!decision.isAllowed || scopes === undefined || covers(scopes, right, repository)) return decision;
    // A token for something else takes away nothing that everybody may do.
    return this.policy.rules.decide(anonymous, right, repository);
  }

  /** By the rules alone, whatever a token was issued for. */
  decideByRules(identity: Identity, right: Right, repository: RepositoryRef): Decision {
    return this.policy.rules.decide(identity, right, repository);
  }

  /** The rules that let anybody pull a repository, whoever asks. */
  pullersOf(repository: RepositoryRef): Granting[] {
    return this.policy.rules.grantingTo('pull', repository);
  }

  /** Somebody as an operator names them. */
  identityOf(subject: NamedSubject): Identity {
    return namedIdentity(subject, this.policy.settings.groups);
  }

  /**
   * Whether someone may administer a repository, or without one the whole server. A token of the token protocol cannot:
   * it is for its scopes.
   */
  mayAdminister(signedIn: SignedIn | undefined, repository?: RepositoryRef): boolean {
    return this.decideAdministration(signedIn, repository).isAllowed;
  }

  /** As `mayAdminister`, with the rule that allows it. */
  decideAdministration(signedIn: SignedIn | undefined, repository?: RepositoryRef): Decision {
    if (!signedIn || signedIn.scopes !== undefined) return { isAllowed: false };
    const { rules } = this.policy;
    const { identity } = signedIn;
    return repository ? rules.decide(identity, 'admin', repository) : rules.decideEverywhere(identity, 'admin');
  }

  /** @param signedIn undefined counts as anonymous */
  readerOf(signedIn: SignedIn | undefined): Reader {
    return new Reader(this.policy.rules, signedIn?.identity ?? anonymous);
  }

  /** What the sender of a request may still use; undefined when no limit is for it. */
  allotmentOf({ identity }: SignedIn, address: string): Allotment | undefined {
    const { limits } = this.policy;
    return limits.isEmpty ? undefined : limits.find(identity, address);
  }

  /** @param scopes already reduced to what the identity may do */
  async issue({ identity, issuer, directoryGroups }: SignedIn, scopes: readonly GrantedScope[]): Promise<IssuedToken> {
    // Groups of the access file are read again whenever the token is used.
    const about = directoryGroups ? { ...identity, groups: directoryGroups } : identity;
    const fitting = this.tokens.fitting(about, scopes);
    const token = await this.tokens.issue(about, issuer ?? '', fitting, this.service);
    return { token, expiresIn: tokenLifetime, scopes: fitting };
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
