import type { AccessSettings } from '../../config/access/access.settings.js';
import type { LdapSettings } from '../../config/access/ldap.settings.js';
import { matchesPattern } from '../../oci/patterns/pattern.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import { BindTimedOut, LdapDirectory, type Verdict } from '../ldap/ldap.directory.js';
import { canonicalName } from '../ldap/user.name.js';
import { userIdentity, type Identity } from '../rules/identity.js';
import { SignInRefused, type SignedIn } from '../sign-in.js';
import { networkOf } from '../limits/network.of.js';
import { TooManyFailures, type Attempt, type Attempts } from './attempts.js';
import type { Guess } from './password.verifier.js';

/** Longest list of groups in bytes: it has to fit into a token, and to leave room for scopes. */
const maxGroups = 3_000;

/** Signs in users of a directory (LDAP). Their groups are those of the directory and those of the access file. */
export class DirectoryUsers {
  private readonly directory: LdapDirectory;
  private readonly pending = new Map<string, Promise<readonly string[] | undefined>>();
  /** Patterns of the groups that a rule or a limit names: no other has an effect. */
  private readonly wanted: readonly string[];
  /** Names that the directory does not know are those of Docker Hub, which are sent with every pull. */
  private readonly takesUnknown: boolean;

  /** @param previous of an earlier version of the access file, whose verified passwords stay known */
  constructor(
    private readonly access: AccessSettings,
    settings: LdapSettings,
    context: FileContext,
    previous: DirectoryUsers | undefined,
  ) {
    const isSame = previous && JSON.stringify(previous.directory.settings) === JSON.stringify(settings);
    this.directory = isSame ? previous.directory : new LdapDirectory(settings, context);
    this.takesUnknown = access.unknownCredentials === 'anonymous';
    this.wanted = [...access.rules, ...access.limits].flatMap(({ who }) =>
      who.flatMap((text) => (text.startsWith('group:') ? [text.slice('group:'.length)] : [])),
    );
  }

  get files(): readonly WatchedFile<unknown>[] {
    return this.directory.files;
  }

  /**
   * Concurrent requests with the same password are one attempt, as those with passwords of the file are.
   * @throws SignInRefused
   */
  async signIn(guess: Guess, attempts: Attempts): Promise<SignedIn> {
    const name = canonicalName(guess.username);
    try {
      if (name !== undefined) return await this.signInAs(name, guess, attempts);
      if (!this.takesUnknown) attempts.begin(guess.address, guess.username).fail();
      throw new SignInRefused('credentials');
    } catch (error) {
      if (error instanceof SignInRefused) error.method = 'ldap';
      throw error;
    }
  }

  private async signInAs(name: string, { password, address }: Guess, attempts: Attempts): Promise<SignedIn> {
    // Whoever has proved it lately does not wait for those who guess at the same address.
    let groups = this.directory.known(name, password);
    if (!groups && this.takesUnknown && this.directory.isUnknown(name, password))
      throw new SignInRefused('credentials');
    if (!groups) {
      const key = `${networkOf(address)} ${this.directory.markOf(name, password)}`;
      let outcome = this.pending.get(key);
      if (!outcome) {
        outcome = this.ask({ username: name, password, address }, attempts).finally(() => this.pending.delete(key));
        this.pending.set(key, outcome);
      }
      groups = await outcome;
    }
    if (!groups) throw new SignInRefused('credentials');
    return this.signedIn(name, groups);
  }

  private async ask(
    { username, password, address }: Guess,
    attempts: Attempts,
  ): Promise<readonly string[] | undefined> {
    const attempt = this.begin(username, address, attempts);
    const isKnown = attempts.hasSucceeded(address, username);
    let verdict: Verdict;
    try {
      // Without the setting nobody has anything to do but wait.
      if (this.takesUnknown) this.directory.outage.enter(isKnown);
      verdict = await this.directory.verify(username, password);
    } catch (error) {
      if (error instanceof BindTimedOut) attempt.fail('user');
      else attempt.cancel();
      throw error;
    }
    if (typeof verdict === 'string') {
      attempt.fail(verdict === 'unknown' && this.takesUnknown ? 'user' : 'network');
      return undefined;
    }
    attempt.succeed();
    return verdict;
  }

  private begin(name: string, address: string, attempts: Attempts): Attempt {
    try {
      return attempts.begin(address, name, 'directory');
    } catch (error) {
      // Failures of a directory that is down do not mean that the password is unknown.
      if (this.takesUnknown && error instanceof TooManyFailures) this.directory.outage.assertNone();
      throw error;
    }
  }

  /** Who a user of the directory is by the access file of now. @param identity of a token, with groups of the directory */
  refresh(name: string, { groups }: Identity): Identity {
    return this.identityOf(name, groups);
  }

  private signedIn(name: string, groups: readonly string[]): SignedIn {
    const directoryGroups = this.relevant(groups);
    return { identity: this.identityOf(name, directoryGroups), issuer: 'ldap', directoryGroups };
  }

  private identityOf(name: string, directoryGroups: readonly string[]): Identity {
    const identity = userIdentity(name, this.access.groups);
    return { ...identity, groups: [...new Set([...identity.groups, ...directoryGroups])] };
  }

  private relevant(groups: readonly string[]): string[] {
    let length = 0;
    return groups.filter((group) => {
      if (!this.wanted.some((pattern) => matchesPattern(pattern, group))) return false;
      length += Buffer.byteLength(JSON.stringify(group)) + 1;
      return length <= maxGroups;
    });
  }
}
