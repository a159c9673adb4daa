import { IsOptional } from 'class-validator';
import { parseDuration } from '../values/duration.js';
import { Networks } from '../values/networks.js';
import { IsCount, IsFlag, IsText, rule } from '../validation/rules.js';
import { parseBoolean, parseInteger, Setting } from '../validation/setting.decorator.js';
import { IsDn, IsGroupBase, IsUserDn } from './ldap-dn.js';
import { IsFilter, IsTextOf } from './validation.js';

const loopback = new Networks(['127.0.0.0/8', '::1']);

const IsAttribute = () => IsTextOf('the name of an attribute', (text) => /^[A-Za-z0-9.-]{1,128}$/.test(text));
const IsBetween = (least: number, most: number, what: string) =>
  rule('isBetween', `must be ${what}`, (value) => typeof value === 'number' && value >= least && value <= most);

/** A directory whose users sign in with their passwords there. Durations are in milliseconds. */
export class LdapSettings {
  @Setting({ name: 'url', description: 'ldaps://host or ldap://host, with an optional port' })
  @IsTextOf('ldaps:// or ldap:// and a host, with an optional port', isLdapUrl)
  url!: string;

  @Setting({
    name: 'start_tls',
    default: 'false',
    parse: parseBoolean,
    description: 'true: turns an ldap:// connection into TLS; required unless the host is a loopback address',
  })
  @IsFlag()
  startTls = false;

  @Setting({ name: 'ca_file', description: 'PEM file of private CAs to trust for the directory' })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  caFile?: string;

  @Setting({
    name: 'user_dn',
    description: 'DN of a user, such as uid={user},ou=people,dc=example,dc=com; instead of a search',
  })
  @IsOptional()
  @IsUserDn()
  userDn?: string;

  @Setting({ name: 'bind_dn', description: 'account that searches; without it, searches are anonymous' })
  @IsOptional()
  @IsDn()
  bindDn?: string;

  @Setting({ name: 'bind_password_file', description: 'file with the password of `bind_dn`' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  bindPasswordFile?: string;

  @Setting({ name: 'search_base', description: 'DN below which users are searched' })
  @IsOptional()
  @IsDn()
  searchBase?: string;

  @Setting({
    name: 'user_filter',
    description: 'filter that finds the user, such as (&(objectClass=person)(uid={user})); it must find one entry',
  })
  @IsOptional()
  @IsFilter(['user'])
  userFilter?: string;

  @Setting({
    name: 'member_of',
    default: 'memberOf',
    description: 'attribute of a user’s entry with the DNs of groups; unused with `group_filter`',
  })
  @IsAttribute()
  memberOf = 'memberOf';

  @Setting({ name: 'group_base', description: 'DN below which groups count; all of them unless set' })
  @IsOptional()
  @IsGroupBase()
  groupBase?: string;

  @Setting({
    name: 'group_filter',
    description: 'filter that finds the groups of a user below `group_base`, such as (member={dn})',
  })
  @IsOptional()
  @IsFilter(['user', 'dn'])
  groupFilter?: string;

  @Setting({ name: 'group_name', default: 'cn', description: 'attribute in the DN of a group that has its name' })
  @IsAttribute()
  groupName = 'cn';

  @Setting({
    name: 'timeout',
    default: '5s',
    parse: parseDuration,
    description: 'longest time for one sign-in, waiting for a connection included',
  })
  @IsBetween(100, 30_000, 'a duration from 100ms to 30s')
  timeout = 5_000;

  @Setting({
    name: 'max_connections',
    default: '4',
    parse: parseInteger,
    description: 'connections at once, of each process',
  })
  @IsCount(1, 64)
  maxConnections = 4;

  @Setting({
    name: 'cache',
    default: '2m',
    parse: parseDuration,
    description: 'for how long an accepted password is not asked about again; 0s asks each time',
  })
  @IsBetween(0, 3_600_000, 'a duration of at most 1h')
  cache = 120_000;
}

/** What does not go together, by the name of a setting. @param ldap of which each setting is valid */
export function contradictionsOf(ldap: LdapSettings): [name: string, reason: string][] {
  const { userDn, bindDn, bindPasswordFile, searchBase, userFilter, groupBase, groupFilter } = ldap;
  const isTls = ldap.url.startsWith('ldaps:');
  const searches = [bindDn, bindPasswordFile, searchBase, userFilter];
  const found: [boolean, string, string][] = [
    [isTls && ldap.startTls, 'start_tls', 'is for ldap://: ldaps:// is TLS from the start'],
    [
      !isTls && !ldap.startTls && !isLoopback(hostOf(ldap.url)),
      'url',
      'would send passwords unencrypted: use ldaps://, or set start_tls: true',
    ],
    [
      userDn === undefined && (searchBase === undefined || userFilter === undefined),
      'user_dn',
      'must be set, or both search_base and user_filter',
    ],
    [
      userDn !== undefined && searches.some((setting) => setting !== undefined),
      'user_dn',
      'must be set alone, without bind_dn, bind_password_file, search_base and user_filter',
    ],
    [
      (bindDn === undefined) !== (bindPasswordFile === undefined),
      'bind_dn',
      'must be set together with bind_password_file',
    ],
    [groupFilter !== undefined && groupBase === undefined, 'group_filter', 'must be set together with group_base'],
  ];
  return found.flatMap(([isWrong, name, reason]) => (isWrong ? [[name, reason] as [string, string]] : []));
}

/** Without the brackets of an IPv6 address. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || loopback.has(host);
}

function isLdapUrl(text: string): boolean {
  return /^ldaps?:\/\/[^/?#@]+\/?$/.test(text) && URL.canParse(text) && hostOf(text) !== '';
}
