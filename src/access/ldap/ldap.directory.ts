import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { hostOf, type LdapSettings } from '../../config/access/ldap.settings.js';
import { Secret } from '../../config/values/secret.js';
import { parseAuthorities } from '../authenticators/issuer.keys.js';
import { Slots } from '../authenticators/slots.js';
import { VerifiedPasswords } from '../authenticators/verified.passwords.js';
import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import { SignInRefused } from '../sign-in.js';
import { fillDn } from './dn.js';
import { DirectorySearch, timeLimitOf, UserRefused } from './directory.search.js';
import { everyEntry } from './filter.js';
import { LdapConnection, type DirectoryAddress } from './ldap.connection.js';
import { resultCodes } from './messages.js';
import { Outage } from './outage.js';

/**
 * The groups of a user whose password is right. `wrong` is a password of a user that the directory has, `unknown` one whose
 * user it has not, or cannot tell.
 */
export type Verdict = readonly string[] | 'wrong' | 'unknown';

/** The directory did not tell in time whether a password is right: it may delay its refusals. */
export class BindTimedOut extends SignInRefused {
  constructor() {
    super('unavailable', retryAfter);
  }
}

/** Sign-ins that may wait for a connection. */
const maxWaiting = 64;
/** Milliseconds between lines about users who are refused, of all users together. */
const refusalInterval = 60_000;
/** Seconds after which a client may try again when the directory does not respond. */
const retryAfter = 5;
/** Milliseconds for which a name that is not known is not asked about again with the same password. */
const unknownLifetime = 60_000;

/**
 * Asks a directory whether passwords are right, by binding with them, and for the groups of users. Each sign-in has a
 * connection of its own, so that nothing of one user is left for the next. Nothing is asked before somebody signs in.
 */
export class LdapDirectory {
  private readonly logger = new Logger('Access');
  private readonly slots: Slots;
  private readonly verified: VerifiedPasswords<readonly string[]>;
  private readonly unknown: VerifiedPasswords<'unknown'>;
  private readonly authorities: WatchedFile<string> | undefined;
  private readonly bindPassword: WatchedFile<Secret> | undefined;
  private readonly searches: DirectorySearch;
  /** Bound when nobody was found, so that an unknown user costs what a known one does. */
  private readonly nobody: string;
  private isFailing = false;
  private toldRefusalAt = -Infinity;
  readonly outage: Outage;

  constructor(
    readonly settings: LdapSettings,
    private readonly context: FileContext,
  ) {
    this.outage = new Outage(() => context.clock.monotonic(), settings.timeout);
    const { caFile, bindPasswordFile, maxConnections, cache, searchBase = '' } = settings;
    this.authorities = watch('ldap_ca', caFile, parseAuthorities, context, undefined);
    this.bindPassword = watch('ldap_password', bindPasswordFile, parsePassword, context, undefined);
    this.slots = new Slots(maxConnections, maxWaiting);
    this.verified = new VerifiedPasswords(Math.max(cache, 1), () => context.clock.monotonic());
    this.unknown = new VerifiedPasswords(unknownLifetime, () => context.clock.monotonic());
    this.searches = new DirectorySearch(settings);
    this.nobody = `cn=${randomBytes(8).toString('hex')},${searchBase}`;
  }

  get files(): readonly WatchedFile<unknown>[] {
    return [this.authorities ?? [], this.bindPassword ?? []].flat();
  }

  /** The groups of a user whose password was accepted lately. @param name as the directory compares it */
  known(name: string, password: string): readonly string[] | undefined {
    return this.settings.cache === 0 ? undefined : this.verified.get(name, password);
  }

  /** Whether the verdict about a name with a password was `unknown` lately. */
  isUnknown(name: string, password: string): boolean {
    return this.unknown.get(name, password) !== undefined;
  }

  /**
   * Asks the directory.
   * @throws SignInRefused `unavailable` when the directory cannot tell, `busy` when too many wait for it; BindTimedOut
   */
  async verify(name: string, password: string): Promise<Verdict> {
    // It would be an unauthenticated bind, which directories accept (RFC 4513 §5.1.2).
    return password === '' ? 'unknown' : this.ask(name, password);
  }

  /** A keyed hash that stands for a name with a password. */
  markOf(name: string, password: string): string {
    return this.verified.markOf(name, password);
  }

  /** Connects, and searches as it is done for users, without signing anybody in. @returns what was found. @throws Error */
  async probe(deadline: AbortSignal): Promise<string> {
    try {
      return await this.probeNow(deadline);
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  }

  private async probeNow(deadline: AbortSignal): Promise<string> {
    const connection = await LdapConnection.open(this.address(), deadline);
    try {
      const { searchBase: base, bindDn } = this.settings;
      if (base === undefined) return 'accepts connections; passwords were not tried';
      await this.bindForSearch(connection);
      const search = { base, scope: 'base', filter: everyEntry, attributes: ['1.1'], maxEntries: 1 } as const;
      const { entries, code } = await connection.search({ ...search, timeLimit: timeLimitOf(this.settings) });
      const { success, noSuchObject } = resultCodes;
      if (code !== success && code !== noSuchObject) throw new Error(`a search ended with the result ${code}`);
      if (entries.length === 0) throw new Error('has no entry that search_base names, or does not show it');
      return `accepts ${bindDn === undefined ? 'anonymous searches' : 'bind_dn'}, and has search_base`;
    } finally {
      connection.close();
    }
  }

  private async ask(name: string, password: string): Promise<Verdict> {
    const deadline = AbortSignal.timeout(this.settings.timeout);
    const beganAt = this.context.clock.monotonic();
    try {
      const verdict = await this.slots.run(() => this.askNow(name, password, deadline), deadline);
      if (this.isFailing) this.logger.log(`${this.settings.url} responds again`);
      this.isFailing = false;
      this.outage.end();
      if (verdict === 'unknown') this.unknown.set(name, password, verdict);
      else if (verdict !== 'wrong' && this.settings.cache > 0) this.verified.set(name, password, verdict);
      return verdict;
    } catch (error) {
      if (error instanceof SignInRefused && error.reason === 'busy') throw error;
      // Other failures may concern one user, and take no time.
      if (deadline.aborted || isOfSocket(error)) this.outage.fail(beganAt, !(error instanceof BindTimedOut));
      this.fail(deadline.aborted ? `no response within ${this.settings.timeout} ms` : reasonOf(error));
      throw error instanceof BindTimedOut ? error : new SignInRefused('unavailable', retryAfter);
    }
  }

  /** A directory that fails is logged once, not for each of its users. */
  private fail(reason: string): void {
    if (!this.isFailing) this.logger.error(`${this.settings.url}: ${reason}; its users cannot sign in`);
    this.isFailing = true;
  }

  /** Logs at most one user a minute, so that nobody can fill the log. */
  private tellRefusal(name: string, reason: string): void {
    const now = this.context.clock.monotonic();
    if (now - this.toldRefusalAt < refusalInterval) return;
    this.toldRefusalAt = now;
    this.logger.warn(`${this.settings.url}: user:${JSON.stringify(name).slice(1, -1)} cannot sign in: ${reason}`);
  }

  private async askNow(name: string, password: string, deadline: AbortSignal): Promise<Verdict> {
    const connection = await LdapConnection.open(this.address(), deadline);
    try {
      const { userDn, bindDn } = this.settings;
      if (userDn === undefined) await this.bindForSearch(connection);
      const account =
        userDn === undefined
          ? await this.searches.findUser(connection, name)
          : { name, dn: fillDn(userDn, name), entry: undefined };
      const filled = userDn === undefined ? undefined : name;
      const isAccepted = await bindUser(connection, account?.dn ?? this.nobody, password, filled, deadline);
      if (!isAccepted || !account) return account && userDn === undefined ? 'wrong' : 'unknown';
      if (this.searches.hasGroupFilter) await this.bindForSearch(connection);
      return await this.searches.groupsOf(connection, account, bindDn === undefined);
    } catch (error) {
      if (!(error instanceof UserRefused)) throw error;
      this.tellRefusal(name, error.message);
      return 'wrong';
    } finally {
      connection.close();
    }
  }

  private async bindForSearch(connection: LdapConnection): Promise<void> {
    const { bindDn } = this.settings;
    if (bindDn === undefined || !this.bindPassword) return;
    const password = await this.bindPassword.read();
    if (!(await connection.bind(bindDn, password.reveal())))
      throw new Error('does not accept bind_dn and its password');
  }

  private address(): DirectoryAddress {
    const { url, startTls } = this.settings;
    const isTls = url.startsWith('ldaps:');
    const { port } = new URL(url);
    return {
      host: hostOf(url),
      port: port === '' ? (isTls ? 636 : 389) : Number(port),
      security: isTls ? 'tls' : startTls ? 'start-tls' : 'none',
      authorities: this.authorities?.peek(),
    };
  }
}

/** @throws BindTimedOut */
async function bindUser(
  connection: LdapConnection,
  dn: string,
  password: string,
  filled: string | undefined,
  deadline: AbortSignal,
): Promise<boolean> {
  try {
    return await connection.bind(dn, password, filled);
  } catch (error) {
    throw deadline.aborted ? new BindTimedOut() : error;
  }
}

/** A file with one line. @throws Error without the content */
function parsePassword(text: string): Secret {
  const password = text.replace(/\r?\n$/, '');
  if (password === '' || /[\u0000-\u001f\u007f]/.test(password)) throw new Error('is not one line with a password');
  return new Secret(password);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return isOfSocket(error) ? error.code : error.message;
}

function isOfSocket(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
