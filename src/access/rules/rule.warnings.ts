import type { AccessSettings } from '../../config/access/access.settings.js';
import { everybody, type AccessRuleSettings } from '../../config/access/rule.settings.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import { canonicalName } from '../ldap/user.name.js';

/** The namespaces of this server, as far as its configuration tells. */
export interface KnownNamespaces {
  readonly hosted: readonly string[];
  readonly mirrored: readonly string[];
  /** Whether registries that are not configured are mirrored as well. */
  readonly mirrorsUnknown: boolean;
}

/** Who can sign in by a file; undefined where it could not be read. */
export interface KnownNames {
  readonly users: ReadonlySet<string> | undefined;
  readonly robots: ReadonlySet<string> | undefined;
}

/** Names in a warning about a group. */
const shown = 5;
const lowerCase = 'users of the directory have their names in lower case, without spaces around them';

/** What in the rules can never have an effect: most likely a mistake. Each names its place in the access file. */
export function warningsOf(access: AccessSettings, namespaces: KnownNamespaces, names: KnownNames): string[] {
  const ofLimits = access.limits.flatMap(({ who }, index) =>
    who.flatMap((each) => ofIdentity(each, access, names)).map((text) => `access.limits[${index}].who: ${text}`),
  );
  const ofRules = access.rules.flatMap((rule, index) => {
    const at = `access.rules[${index}]`;
    const patterns = rule.repositories.map((text) => RepositoryPattern.parse(text));
    return [
      ...patterns.flatMap((pattern) => ofPattern(pattern, namespaces)).map((text) => `${at}.repositories: ${text}`),
      ...ofPlaceholders(patterns, rule, access).map((text) => `${at}.repositories: ${text}`),
      ...rule.who.flatMap((who) => ofIdentity(who, access, names)).map((text) => `${at}.who: ${text}`),
      ...ofPush(patterns, rule, namespaces).map((text) => `${at}.may: ${text}`),
    ];
  });
  return [...ofGroups(access, names), ...ofRules, ...ofLimits];
}

function ofPattern(pattern: RepositoryPattern, namespaces: KnownNamespaces): string[] {
  if (pattern.isUnmatchable) return [`${pattern.toString()} is longer than any repository name`];
  const { hosted, mirrored, mirrorsUnknown } = namespaces;
  const isKnown = [...hosted, ...mirrored].some((name) => pattern.mayBeIn(Namespace.parse(name)));
  // Unconfigured registries are DNS names without a port.
  const isOther = mirrorsUnknown && /^[^/]*[.*][^/]*$/.test(pattern.namespace) && !pattern.namespace.includes(':');
  return isKnown || isOther ? [] : [`${pattern.toString()} matches no namespace of this server`];
}

function ofPush(
  patterns: readonly RepositoryPattern[],
  { may }: AccessRuleSettings,
  { hosted }: KnownNamespaces,
): string[] {
  const names = hosted.map((name) => Namespace.parse(name));
  const isHosted = patterns.some((pattern) => names.some((name) => pattern.mayBeIn(name)));
  return may.includes('push') && !isHosted
    ? ['push has no effect: none of its repositories is in a hosted namespace']
    : [];
}

function ofPlaceholders(
  patterns: readonly RepositoryPattern[],
  { who }: AccessRuleSettings,
  { issuers }: AccessSettings,
): string[] {
  const used = new Set(patterns.flatMap((pattern) => pattern.placeholders));
  const hasUsers = who.some((text) => /^(?:user|group):|^(?:anonymous|authenticated)$/.test(text));
  const warnings = used.has('user') && !hasUsers ? ['{user} is never filled: the rule is for no users'] : [];
  const hasClaims = [...used].some((name) => name.startsWith('claim:'));
  return hasClaims && issuers.length === 0 ? [...warnings, 'claims are never filled: there is no issuer'] : warnings;
}

/** A directory and certificates say themselves who is a user. */
function hasOtherUsers({ ldap, clientCertificates }: AccessSettings): boolean {
  return ldap !== undefined || clientCertificates?.identity.startsWith('user:') === true;
}

/** Whether only a directory can have a user of this name, which never has names of this form. */
function isMiswritten(name: string, access: AccessSettings, { users }: KnownNames): boolean {
  const { ldap, usersFile, clientCertificates, issuers } = access;
  if (ldap === undefined || name.includes('*') || canonicalName(name) === name) return false;
  const isOfOthers = [...issuers, clientCertificates ?? []].flat().some(({ identity }) => identity.startsWith('user:'));
  return !isOfOthers && (usersFile === undefined || users?.has(name) === false);
}

function ofGroups(access: AccessSettings, names: KnownNames): string[] {
  const { groups, usersFile } = access;
  const { users } = names;
  const isUnknown = (name: string) =>
    hasOtherUsers(access) ? isMiswritten(name, access, names) : usersFile === undefined || users?.has(name) === false;
  const reason = hasOtherUsers(access)
    ? lowerCase
    : usersFile === undefined
      ? 'there is no users_file, and no ldap'
      : `not in ${usersFile}`;
  return Object.entries(groups).flatMap(([group, members]) => {
    const unknown = members.filter(isUnknown);
    if (unknown.length === 0) return [];
    const more = unknown.length > shown ? ` and ${unknown.length - shown} more` : '';
    return [`access.groups.${group}: ${unknown.slice(0, shown).join(', ')}${more} can be nobody: ${reason}`];
  });
}

function ofIdentity(who: string, access: AccessSettings, names: KnownNames): string[] {
  const { usersFile, robotsFile, groups, issuers, ldap, clientCertificates: certificates } = access;
  if ((everybody as readonly string[]).includes(who)) return [];
  const kind = who.slice(0, who.indexOf(':'));
  const name = who.slice(kind.length + 1);
  const isNobody = (reason: string) => [`${who} is nobody: ${reason}`];
  const isMissing = (known: ReadonlySet<string> | undefined) => !name.includes('*') && known?.has(name) === false;
  if (kind === 'user') {
    if (hasOtherUsers(access)) return isMiswritten(name, access, names) ? isNobody(lowerCase) : [];
    if (usersFile === undefined) return isNobody('there is no users_file, and no ldap');
    return isMissing(names.users) ? isNobody(`not in ${usersFile}`) : [];
  }
  if (kind === 'robot') {
    if (robotsFile === undefined) return isNobody('there is no robots_file');
    return isMissing(names.robots) ? isNobody(`not in ${robotsFile}`) : [];
  }
  if (kind === 'group') {
    const isOfOthers = ldap !== undefined || issuers.some(({ groupsClaim }) => groupsClaim);
    const isGiven = name.includes('*') || Object.hasOwn(groups, name) || isOfOthers;
    return isGiven ? [] : isNobody('there is no such group');
  }
  const isGiven = [...issuers, ...(certificates ? [certificates] : [])].some(({ identity }) =>
    identity.startsWith(`${kind}:`),
  );
  return isGiven ? [] : isNobody(`no issuer gives ${kind}:`);
}
