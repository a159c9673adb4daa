import type { AccessSettings } from '../../config/access/access.settings.js';
import type { TLSSocket } from 'node:tls';
import type { Credentials } from '../authorization.js';
import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import { canonicalName } from '../ldap/user.name.js';
import { anonymous, isAnonymous, userIdentity, type Identity } from '../rules/identity.js';
import { SignInRefused, type SignedIn } from '../sign-in.js';
import { Attempts, TooManyFailures } from './attempts.js';
import { ClientCertificates } from './client.certificates.js';
import { htpasswdReader, type Users } from './htpasswd.js';
import { IssuerTokens } from './issuer.tokens.js';
import { DirectoryUsers } from './directory.users.js';
import { PasswordVerifier } from './password.verifier.js';
import { hasExpired, isRobot, parseRobots, robotOf, type Robot } from './robots.js';

type Password = Extract<Credentials, { kind: 'password' }>;

/** Tells from credentials who a client is: users of an htpasswd file or a directory, robots, and tokens of issuers. */
export class Authenticator {
  private readonly users: WatchedFile<Users> | undefined;
  private readonly robots: WatchedFile<ReadonlyMap<string, Robot>> | undefined;
  private readonly issuers: IssuerTokens;
  private readonly directory: DirectoryUsers | undefined;
  readonly certificates: ClientCertificates | undefined;
  private readonly passwords: PasswordVerifier;
  private readonly attempts: Attempts;
  private readonly takesUnknown: boolean;
  private readonly groups: AccessSettings['groups'];

  /** @param previous of an earlier version of the access file: failures and verified passwords stay known */
  constructor(
    settings: AccessSettings | undefined,
    private readonly context: FileContext,
    previous?: Authenticator,
  ) {
    const monotonic = () => context.clock.monotonic();
    this.users = watch('users', settings?.usersFile, htpasswdReader(monotonic), context, previous?.users);
    this.robots = watch('robots', settings?.robotsFile, parseRobots, context, previous?.robots);
    this.issuers = new IssuerTokens(settings?.issuers ?? [], context, previous?.issuers);
    this.directory = settings?.ldap && new DirectoryUsers(settings, settings.ldap, context, previous?.directory);
    const certificates = settings?.clientCertificates;
    this.certificates = certificates && new ClientCertificates(certificates, context, previous?.certificates);
    this.attempts = previous?.attempts ?? new Attempts(monotonic);
    this.passwords = previous?.passwords ?? new PasswordVerifier(monotonic, this.attempts);
    this.takesUnknown = settings?.unknownCredentials === 'anonymous';
    this.groups = settings?.groups ?? {};
  }

  /** Reads the files for the first time. @throws Error that names the file */
  async load(): Promise<void> {
    await Promise.all(this.files.map((file) => file.read()));
  }

  get files(): readonly WatchedFile<unknown>[] {
    const own = [this.users ?? [], this.robots ?? [], this.certificates?.file ?? []].flat();
    return [...own, ...this.issuers.files, ...(this.directory?.files ?? [])];
  }

  /** @throws SignInRefused */
  async signIn(credentials: Password, address: string): Promise<SignedIn> {
    try {
      return await this.signInByPassword(credentials, address);
    } catch (error) {
      // Docker sends the password of Docker Hub with every pull: one that may not be tested yet must not stop them.
      if (this.takesUnknown && error instanceof TooManyFailures) throw error.as('credentials');
      throw error;
    }
  }

  private async signInByPassword({ username, password }: Password, address: string): Promise<SignedIn> {
    const secret = password.reveal();
    const robot = robotOf(username);
    if (robot !== undefined) return this.signInRobot(robot, secret, address);
    // CI systems and Kubernetes pass the token of an issuer as a password; the user name says nothing then.
    if (this.issuers.isFromIssuer(secret)) return this.issuers.signIn(secret);
    return this.signInUser(username, secret, address);
  }

  /**
   * As `signIn` for a password that has been accepted before, and where nothing has to be waited for; undefined
   * otherwise, and when it is wrong.
   */
  recall({ username, password }: Password): SignedIn | undefined {
    const secret = password.reveal();
    const robot = robotOf(username);
    if (robot !== undefined) {
      const isRight = isRobot(this.robots?.fresh?.get(robot), secret, this.context.clock.now());
      return isRight ? { identity: robotIdentity(robot), issuer: 'robots' } : undefined;
    }
    if (this.issuers.isFromIssuer(secret)) return undefined;
    const hash = this.users?.fresh?.hashes.get(username);
    if (!this.passwords.isKnown(username, secret, hash)) return undefined;
    return { identity: userIdentity(username, this.groups), issuer: 'htpasswd' };
  }

  /** @throws SignInRefused */
  signInByToken(token: string): Promise<SignedIn> {
    return this.issuers.signIn(token);
  }

  /**
   * Who a connection without credentials is of: whom its certificate names, otherwise anonymous.
   * @param socket undefined where there is no TLS
   */
  signInBySocket(socket: TLSSocket | undefined): SignedIn {
    const found = socket && this.certificates?.subjectOf(socket);
    if (!found) return { identity: anonymous };
    if ('problem' in found) return { identity: anonymous, problem: found.problem };
    return { identity: this.certified({ subject: found.subject, groups: [], claims: {} }), issuer: 'certificate' };
  }

  /**
   * Who the subject of a token is now, without I/O; undefined when there is no such user, robot or issuer any more.
   * @param from where the identity comes from
   */
  refresh(identity: Identity, from: string): Identity | undefined {
    if (isAnonymous(identity)) return anonymous;
    if (from === 'certificate') return this.certificates && this.certified(identity);
    const colon = identity.subject.indexOf(':');
    const [kind, name] = [identity.subject.slice(0, colon), identity.subject.slice(colon + 1)];
    if (kind === 'user' && from === 'ldap')
      return this.users?.peek()?.hashes.has(name) === true ? undefined : this.directory?.refresh(name, identity);
    if (kind === 'user')
      return this.users?.peek()?.hashes.has(name) === true ? userIdentity(name, this.groups) : undefined;
    if (kind !== 'robot') return this.issuers.has(from) ? identity : undefined;
    const robot = this.robots?.peek()?.get(name);
    return robot && !hasExpired(robot, this.context.clock.now()) ? identity : undefined;
  }

  /**
   * Who somebody is now that was accepted before, without I/O; undefined when the same credentials count no more, or would
   * have to be tested anew.
   */
  renew(signedIn: SignedIn, credentials: Credentials, socket: TLSSocket | undefined): SignedIn | undefined {
    if (credentials.kind === 'none') return this.signInBySocket(socket);
    const identity = this.refresh(signedIn.identity, signedIn.issuer ?? '');
    const isAccepted = credentials.kind !== 'password' || this.isStillRight(credentials, signedIn);
    return identity && isAccepted ? { ...signedIn, identity } : undefined;
  }

  /** Whether the files that a password was verified with still have it. */
  private isStillRight({ username, password }: Password, { issuer }: SignedIn): boolean {
    const secret = password.reveal();
    if (issuer === 'htpasswd')
      return this.passwords.isKnown(username, secret, this.users?.peek()?.hashes.get(username));
    if (issuer !== 'robots') return true;
    return isRobot(this.robots?.peek()?.get(robotOf(username) ?? ''), secret, this.context.clock.now());
  }

  /** With the groups of the access file, for a user. */
  private certified(identity: Identity): Identity {
    const [, user] = /^user:(.*)$/s.exec(identity.subject) ?? [];
    return user === undefined ? identity : userIdentity(user, this.groups);
  }

  private async signInRobot(name: string, secret: string, address: string): Promise<SignedIn> {
    const robot = (await this.robots?.read())?.get(name);
    if (isRobot(robot, secret, this.context.clock.now())) return { identity: robotIdentity(name), issuer: 'robots' };
    if (robot || !this.takesUnknown) this.attempts.begin(address, `robot+${name}`).fail();
    throw new SignInRefused('credentials');
  }

  private async signInUser(username: string, password: string, address: string): Promise<SignedIn> {
    const users = await this.users?.read();
    const hash = users?.hashes.get(username);
    // Users of the file come first, however their names are written: their passwords are never sent to the directory.
    const isOfFile = hash !== undefined || users?.hashes.has(canonicalName(username) ?? '') === true;
    if (!isOfFile && this.directory) return this.directory.signIn({ username, password, address }, this.attempts);
    const signedIn = { identity: userIdentity(username, this.groups), issuer: 'htpasswd' };
    // Whoever has proved it lately does not wait for those who guess at the same address.
    if (this.passwords.isKnown(username, password, hash)) return signedIn;
    // A user of Docker Hub is no failure, and must not take the time of those who are known here.
    if (hash === undefined && this.takesUnknown) throw new SignInRefused('credentials');
    if (!users) this.attempts.begin(address, username).fail();
    else if (await this.passwords.verify({ username, password, address }, hash, users.costliest)) return signedIn;
    throw new SignInRefused('credentials');
  }
}

function robotIdentity(name: string): Identity {
  return { subject: `robot:${name}`, groups: [], claims: {} };
}
