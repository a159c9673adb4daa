import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { parseFilter, type LdapFilter } from '../../config/access/ldap-filter.js';
import { hostOf, type LdapSettings } from '../../config/access/ldap.settings.js';
import { Secret } from '../../config/values/secret.js';
import { parseAuthorities } from '../authenticators/issuer.keys.js';
import { Slots } from '../authenticators/slots.js';
import { VerifiedPasswords } from '../authenticators/verified.passwords.js';
import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import { SignInRefused } from '../sign-in.js';
import { fillDn } from './dn.js';
import { encodeFilter, everyEntry } from './filter.js';
import { GroupNames } from './group.names.js';
import { LdapConnection, type DirectoryAddress } from './ldap.connection.js';
import type { Entry } from './messages.js';

/** Names of groups, or undefined when the password is not accepted. */
type Found = readonly string[] | undefined;

/** A user of the directory. */
interface Account {
  readonly name: string;
  readonly dn: string;
  /** Undefined where nothing has been read of it. */
  readonly entry?: Entry | undefined;
}

/** Sign-ins that may wait for a connection. */
const maxWaiting = 64;
const maxGroups = 1_000;
/** Seconds after which a client may try again when the directory does not respond. */
const retryAfter = 5;

/**
 * Asks a directory whether passwords are right, by binding with them, and for the groups of users. Each sign-in has a
 * connection of its own, so that nothing of one user is left for the next. Nothing is asked before somebody signs in.
 */
export class LdapDirectory {
  private readonly logger = new Logger('Access');
  private readonly slots: Slots;
  private readonly verified: VerifiedPasswords<readonly string[]>;
  private readonly authorities: WatchedFile<string> | undefined;
  private readonly bindPassword: WatchedFile<Secret> | undefined;
  private readonly userFilter: LdapFilter | undefined;
  private readonly groupFilter: LdapFilter | undefined;
  private readonly groupNames: GroupNames;
  /** Bound when nobody was found, so that an unknown user costs what a known one does. */
  private readonly nobody: string;
  private isFailing = false;

  constructor(
    readonly settings: LdapSettings,
    context: FileContext,
  ) {
    const { caFile, bindPasswordFile, maxConnections, cache, userFilter, groupFilter, searchBase = '' } = settings;
    this.authorities = watch('ldap_ca', caFile, parseAuthorities, context, undefined);
    this.bindPassword = watch('ldap_password', bindPasswordFile, parsePassword, context, undefined);
    this.slots = new Slots(maxConnections, maxWaiting);
    this.verified = new VerifiedPasswords(Math.max(cache, 1), () => context.clock.monotonic());
    this.userFilter = userFilter === undefined ? undefined : parseFilter(userFilter);
    this.groupFilter = groupFilter === undefined ? undefined : parseFilter(groupFilter);
    this.groupNames = new GroupNames(settings);
    this.nobody = `cn=${randomBytes(8).toString('hex')},${searchBase}`;
  }

  get files(): readonly WatchedFile<unknown>[] {
    return [this.authorities ?? [], this.bindPassword ?? []].flat();
  }

  /** The groups of a user whose password was accepted lately. @param name as the directory compares it */
  known(name: string, password: string): Found {
    return this.settings.cache === 0 ? undefined : this.verified.get(name, password);
  }

  /**
   * The groups of a user, or undefined when the directory does not accept the password.
   * @throws SignInRefused `unavailable` when the directory cannot tell, `busy` when too many wait for it
   */
  async verify(name: string, password: string): Promise<Found> {
    // It would be an unauthenticated bind, which directories accept (RFC 4513 §5.1.2).
    return password === '' ? undefined : this.ask(name, password);
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
      const found = await connection.search({ ...search, timeLimit: this.timeLimit });
      if (found.length === 0) throw new Error('has no entry that search_base names, or does not show it');
      return `accepts ${bindDn === undefined ? 'anonymous searches' : 'bind_dn'}, and has search_base`;
    } finally {
      connection.close();
    }
  }

  private async ask(name: string, password: string): Promise<Found> {
    const deadline = AbortSignal.timeout(this.settings.timeout);
    try {
      const found = await this.slots.run(() => this.askNow(name, password, deadline), deadline);
      if (this.isFailing) this.logger.log(`${this.settings.url} responds again`);
      this.isFailing = false;
      if (found && this.settings.cache > 0) this.verified.set(name, password, found);
      return found;
    } catch (error) {
      if (error instanceof SignInRefused) throw error;
      this.fail(deadline.aborted ? `no response within ${this.settings.timeout} ms` : reasonOf(error));
      throw new SignInRefused('unavailable', retryAfter);
    }
  }

  /** A directory that is down is logged once, not for each of its users. */
  private fail(reason: string): void {
    if (!this.isFailing) this.logger.error(`${this.settings.url}: ${reason}; its users cannot sign in`);
    this.isFailing = true;
  }

  private async askNow(name: string, password: string, deadline: AbortSignal): Promise<Found> {
    const connection = await LdapConnection.open(this.address(), deadline);
    try {
      const { userDn } = this.settings;
      const account = userDn === undefined ? await this.find(connection, name) : { name, dn: fillDn(userDn, name) };
      const isAccepted = await connection.bind(account?.dn ?? this.nobody, password);
      return isAccepted && account ? await this.groupsOf(connection, account) : undefined;
    } finally {
      connection.close();
    }
  }

  /** Undefined when the filter finds nobody, or several, of whom none can be meant. */
  private async find(connection: LdapConnection, name: string): Promise<Account | undefined> {
    const { searchBase, memberOf } = this.settings;
    if (!this.userFilter || searchBase === undefined) throw new Error('there is no search for users');
    await this.bindForSearch(connection);
    const filter = encodeFilter(this.userFilter, { user: name });
    const [entry, ...others] = await connection.search({
      base: searchBase,
      scope: 'below',
      filter,
      attributes: [memberOf],
      maxEntries: 2,
      timeLimit: this.timeLimit,
    });
    return entry && entry.dn !== '' && others.length === 0 ? { name, dn: entry.dn, entry } : undefined;
  }

  /** Searches for groups as `bind_dn`, or as the user where there is none. */
  private async groupsOf(connection: LdapConnection, { name, dn, entry }: Account): Promise<readonly string[]> {
    const { memberOf, groupBase, groupName } = this.settings;
    const search = { scope: 'base', filter: everyEntry, maxEntries: 1, timeLimit: this.timeLimit } as const;
    if (!this.groupFilter || groupBase === undefined) {
      const own = entry ? [entry] : await connection.search({ ...search, base: dn, attributes: [memberOf] });
      return this.groupNames.ofDns(own.flatMap(({ attributes }) => attributes.get(memberOf.toLowerCase()) ?? []));
    }
    await this.bindForSearch(connection);
    const filter = encodeFilter(this.groupFilter, { user: name, dn });
    const groups = await connection.search({
      ...search,
      base: groupBase,
      scope: 'below',
      filter,
      attributes: [groupName],
      maxEntries: maxGroups,
    });
    return this.groupNames.ofEntries(groups);
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

  /** Seconds; 0 would be none. */
  private get timeLimit(): number {
    return Math.max(1, Math.ceil(this.settings.timeout / 1000));
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
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
