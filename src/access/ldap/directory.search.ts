import { parseFilter, type LdapFilter } from '../../config/access/ldap-filter.js';
import type { LdapSettings } from '../../config/access/ldap.settings.js';
import { TooLong } from './ber.js';
import { encodeFilter, everyEntry } from './filter.js';
import { GroupNames } from './group.names.js';
import type { LdapConnection, SearchResult } from './ldap.connection.js';
import { resultCodes, type Entry, type Search } from './messages.js';
import { canonicalName } from './user.name.js';

/** A user of the directory. */
export interface Account {
  readonly name: string;
  readonly dn: string;
  /** Undefined where nothing has been read of it. */
  readonly entry?: Entry | undefined;
}

/** Why one user cannot sign in although the directory works. */
export class UserRefused extends Error {
  override readonly name = 'UserRefused';
}

const maxGroups = 1_000;
const { success, sizeLimitExceeded, referral, noSuchObject, insufficientAccessRights } = resultCodes;

/** Searches for users and their groups over connections that have been bound. */
export class DirectorySearch {
  private readonly userFilter: LdapFilter | undefined;
  private readonly groupFilter: LdapFilter | undefined;
  private readonly groupNames: GroupNames;
  /** Attributes of an entry that may have the name of its user. */
  private readonly nameAttributes: readonly string[];

  constructor(private readonly settings: LdapSettings) {
    const { userFilter, groupFilter } = settings;
    this.userFilter = userFilter === undefined ? undefined : parseFilter(userFilter);
    this.groupFilter = groupFilter === undefined ? undefined : parseFilter(groupFilter);
    this.groupNames = new GroupNames(settings);
    this.nameAttributes = this.userFilter && this.groupFilter ? [...new Set(attributesOf(this.userFilter))] : [];
  }

  get hasGroupFilter(): boolean {
    return this.groupFilter !== undefined;
  }

  /** Undefined when the filter finds nobody, or several, of whom none can be meant. @throws Error */
  async findUser(connection: LdapConnection, name: string): Promise<Account | undefined> {
    const { searchBase: base, memberOf } = this.settings;
    if (!this.userFilter || base === undefined) throw new Error('there is no search for users');
    const filter = encodeFilter(this.userFilter, { user: name });
    const attributes = [memberOf, ...this.nameAttributes];
    const { entries, code } = await this.run(connection, { base, scope: 'below', filter, attributes, maxEntries: 2 });
    // Others that the filter finds may be missing. Referrals are not followed: they would send passwords elsewhere.
    if (code === sizeLimitExceeded || code === referral) return undefined;
    expectSuccess(code, 'search_base');
    const [entry, ...others] = entries;
    return entry && entry.dn !== '' && others.length === 0 ? { name, dn: entry.dn, entry } : undefined;
  }

  /**
   * The names of a user's groups.
   * @param asUser whether the connection is the user's, so that what it may not read is a matter of the user alone
   * @throws UserRefused, or another Error when the list is incomplete
   */
  async groupsOf(connection: LdapConnection, account: Account, asUser: boolean): Promise<readonly string[]> {
    const { name, dn, entry } = account;
    const { groupBase, memberOf } = this.settings;
    if (!this.groupFilter || groupBase === undefined) {
      const own = entry ? [entry] : await this.ownEntry(connection, dn, asUser);
      return this.groupNames.ofDns(own.flatMap(({ attributes }) => attributes.get(memberOf.toLowerCase()) ?? []));
    }
    const filter = encodeFilter(this.groupFilter, { user: this.spellingOf(name, entry), dn });
    const search = { base: groupBase, scope: 'below', filter, attributes: ['1.1'], maxEntries: maxGroups } as const;
    const { entries, code } = await this.run(connection, search);
    if (code === sizeLimitExceeded && entries.length >= maxGroups)
      throw new UserRefused(`is in more than ${maxGroups} groups`);
    expectReadable(code, asUser);
    expectSuccess(code, 'group_base');
    return this.groupNames.ofDns(entries.map((group) => group.dn));
  }

  /** Nothing for an entry that the directory does not show. */
  private async ownEntry(connection: LdapConnection, dn: string, asUser: boolean): Promise<readonly Entry[]> {
    const { memberOf } = this.settings;
    const search = { base: dn, scope: 'base', filter: everyEntry, attributes: [memberOf], maxEntries: 1 } as const;
    const { entries, code } = await this.run(connection, search);
    expectReadable(code, asUser);
    if (code !== noSuchObject) expectSuccess(code, 'user_dn');
    return entries;
  }

  private async run(connection: LdapConnection, search: Omit<Search, 'timeLimit'>): Promise<SearchResult> {
    try {
      return await connection.search({ ...search, timeLimit: timeLimitOf(this.settings) });
    } catch (error) {
      if (error instanceof TooLong) throw new UserRefused('is in too many groups');
      throw error;
    }
  }

  /** As the entry has it: some attributes of groups, such as memberUid, are compared with case. */
  private spellingOf(name: string, entry: Entry | undefined): string {
    const values = this.nameAttributes.flatMap((attribute) => entry?.attributes.get(attribute.toLowerCase()) ?? []);
    return values.find((value) => canonicalName(value) === name) ?? name;
  }
}

/** Seconds; 0 would be none. */
export function timeLimitOf({ timeout }: LdapSettings): number {
  return Math.max(1, Math.ceil(timeout / 1000));
}

function expectReadable(code: number, asUser: boolean): void {
  if (asUser && code === insufficientAccessRights)
    throw new UserRefused('may not read its groups, for example because its password must be changed (result 50)');
}

/** @param setting that names where the search began. @throws Error */
function expectSuccess(code: number, setting: string): void {
  if (code === noSuchObject) throw new Error(`has no entry that ${setting} names, or does not show it (result 32)`);
  if (code !== success) throw new Error(`a search at ${setting} ended with the result ${code}`);
}

/** Attributes that a filter compares with the name alone. */
function attributesOf(filter: LdapFilter): string[] {
  if (filter.kind === 'and' || filter.kind === 'or') return filter.filters.flatMap(attributesOf);
  return filter.kind === 'equal' && filter.value === '{user}' ? [filter.attribute] : [];
}
