import { loadAll } from 'js-yaml';
import { ConfigurationError, kindOf, type Problem } from '../configuration-error.js';
import { settingsOf } from '../validation/setting.decorator.js';
import { validateSettings, type Values } from '../validation/validation.js';
import { yamlProblem } from '../validation/yaml-problem.js';
import { AccessSettings } from './access.settings.js';
import { IssuerSettings } from './issuer.settings.js';
import { ClientCertificateSettings } from './certificate.settings.js';
import { contradictionsOf, LdapSettings } from './ldap.settings.js';
import { LimitSettings } from './limit.settings.js';
import { AccessRuleSettings } from './rule.settings.js';

/**
 * Reads the access file.
 * @throws ConfigurationError with every mistake in it.
 */
export function readAccess(yaml: string): AccessSettings {
  const problems: Problem[] = [];
  const values = parseMap(yaml);
  const { value, problems: found } = validateSettings(AccessSettings, values, (name) => `access.${name}`);
  problems.push(...found);
  value.rules = readList(AccessRuleSettings, values.rules, 'access.rules', problems);
  value.issuers = readList(IssuerSettings, values.issuers, 'access.issuers', problems);
  const certificates = readMap(
    ClientCertificateSettings,
    values.client_certificates,
    'access.client_certificates',
    problems,
  );
  if (certificates) value.clientCertificates = certificates;
  const ldap = readLdap(values.ldap, problems);
  if (ldap) value.ldap = ldap;
  value.limits = readList(LimitSettings, values.limits, 'access.limits', problems);
  problems.push(...withoutAmount(values.limits), ...repeated(value.issuers));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return value;
}

/** Anything but a map has been reported by the rule of its setting. */
function readMap<T extends object>(
  type: new () => T,
  entry: unknown,
  path: string,
  problems: Problem[],
): T | undefined {
  return readList(type, entry === undefined ? [] : [entry], path, problems, () => path)[0];
}

function readLdap(entry: unknown, problems: Problem[]): LdapSettings | undefined {
  const found: Problem[] = [];
  const ldap = readMap(LdapSettings, entry, 'access.ldap', found);
  // Only settings that are valid can contradict each other.
  if (ldap && found.length === 0)
    found.push(
      ...contradictionsOf(ldap).map(([name, reason]) => {
        const kind = kindOf((entry as Values)[name]);
        return { path: `access.ldap.${name}`, kind, reason };
      }),
    );
  problems.push(...found);
  return ldap;
}

function repeated(issuers: readonly IssuerSettings[]): Problem[] {
  return issuers.flatMap(({ issuer, audience }, index) => {
    const first = issuers.findIndex((other) => other.issuer === issuer && other.audience === audience);
    const reason = `repeats access.issuers[${first}]`;
    return first !== -1 && first < index ? [{ path: `access.issuers[${index}]`, kind: 'a map', reason }] : [];
  });
}

function withoutAmount(limits: unknown): Problem[] {
  if (!Array.isArray(limits)) return [];
  const hasAmount = (entry: object) => ['pulls', 'pushes', 'bytes'].some((name) => name in entry);
  return limits.flatMap((entry: unknown, index) =>
    typeof entry !== 'object' || entry === null || hasAmount(entry)
      ? []
      : [{ path: `access.limits[${index}]`, kind: 'a map', reason: 'must have pulls, pushes or bytes' }],
  );
}

function parseMap(yaml: string): Values {
  let documents: unknown[];
  try {
    documents = loadAll(yaml);
  } catch (error) {
    throw new ConfigurationError([yamlProblem('access', error, yaml)]);
  }
  const [document, ...more] = documents;
  if (more.length === 0 && typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Values;
  const names = settingsOf(AccessSettings).map(({ name }) => name);
  const reason = `must be one YAML map with ${names.join(', ')}`;
  throw new ConfigurationError([{ path: 'access', kind: kindOf(document), reason }]);
}

/** Entries that are no maps have been reported by the rule of their list. */
function readList<T extends object>(
  type: new () => T,
  entries: unknown,
  path: string,
  problems: Problem[],
  at = (index: number) => `${path}[${index}]`,
): T[] {
  const isMap = (entry: unknown): entry is Values => typeof entry === 'object' && entry !== null;
  if (!Array.isArray(entries) || !entries.every(isMap)) return [];
  return entries.map((entry, index) => {
    const { value, problems: found } = validateSettings(type, entry, (name) => `${at(index)}.${name}`);
    problems.push(...found);
    return value;
  });
}
