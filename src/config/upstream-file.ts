import { loadAll } from 'js-yaml';
import { Namespace } from '../oci/namespace.js';
import { ConfigurationError, kindOf, type Problem } from './configuration-error.js';
import { readPasswordFile } from './files/password-file.js';
import { readSettingFile } from './files/setting-file.js';
import { readCredentials } from './credentials/credential-entries.js';
import { isHostedEntry, readHosted, type Entry } from './hosted/hosted-entries.js';
import type { HostedSettings } from './hosted/hosted.settings.js';
import { splitHosts } from './validation/host-path.js';
import { EndpointSettings, UpstreamSettings } from './upstream.settings.js';
import { TagRuleSettings } from './tag-rule.settings.js';
import { yamlProblem } from './validation/yaml-problem.js';
import { validateSettings, type Values } from './validation/validation.js';
import { reasonAgainstCertificates } from './values/certificates.js';

const areMaps = (value: unknown): value is Values[] => Array.isArray(value) && value.every(isMap);
const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Registry host of an unconfigured namespace. */
export function defaultHost(namespace: Namespace): string {
  return namespace.isDockerHub ? 'registry-1.docker.io' : namespace.toString();
}

/** Settings of a namespace that the upstream file does not have. */
export function defaultUpstream(namespace: Namespace): UpstreamSettings {
  return Object.assign(new UpstreamSettings(), { namespace: namespace.toString(), host: defaultHost(namespace) });
}

/** The namespaces that are configured. */
export interface ConfiguredNamespaces {
  readonly upstreams: UpstreamSettings[];
  readonly hosted: HostedSettings[];
}

/**
 * Merges the credentials map into the upstream file and validates the result. A namespace that appears only in the
 * credentials becomes an upstream of its own.
 * @param hostedNames namespaces that are hosted with default settings, from `--hosted-namespace`.
 * @throws ConfigurationError with every mistake in all of them.
 */
export function readNamespaces(
  yaml: string | undefined,
  credentials: string | undefined,
  hostedNames: readonly string[] = [],
): ConfiguredNamespaces {
  const problems: Problem[] = [];
  const listed = yaml === undefined ? [] : entriesOf(parseYaml(yaml, problems), problems);
  const named = hostedNames.map((namespace) => ({ values: { namespace, hosted: true }, path: '--hosted-namespace' }));
  const secrets = credentials === undefined ? {} : parseCredentials(credentials, problems);
  const merged = mergeCredentials([...listed, ...named], secrets, problems);
  const mirrored = merged.filter((entry) => !isHostedEntry(entry));
  const upstreams = mirrored.map(({ values: { hosted: _no, ...values }, path }) => {
    const { value, problems: found } = validateSettings(UpstreamSettings, values, (name) => `${path}.${name}`);
    problems.push(...found);
    finishEndpoint(value, values, values.namespace, path, problems);
    if (areMaps(values.fallback_hosts)) value.fallbackHosts = readFallbacks(values, secrets, path, problems);
    if (areMaps(values.tags)) value.tags = readTagRules(values.tags, `${path}.tags`, problems);
    return value;
  });
  const hosted = readHosted(merged.filter(isHostedEntry), problems);
  if (problems.length === 0) problems.push(...duplicateNamespaces(merged));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { upstreams, hosted };
}

function entriesOf(list: readonly unknown[], problems: Problem[]): Entry[] {
  return list.flatMap((values, index) => {
    const path = `upstreams[${index}]`;
    if (isMap(values)) return [{ values: splitHosts(values), path }];
    problems.push({ path, kind: kindOf(values), reason: 'must be a map with namespace and host' });
    return [];
  });
}

/** Whether there is nothing in the file but comments. */
export function isEmptyYaml(text: string): boolean {
  return text.split('\n').every((line) => /^(?:\s*(?:#.*)?|---\s*(?:#.*)?)$/.test(line));
}

function parseYaml(text: string, problems: Problem[]): unknown[] {
  try {
    // `load` rejects a file without a document, for example one with comments only.
    const [document, ...more] = loadAll(text);
    if (more.length === 0 && (document === undefined || document === null)) return [];
    if (more.length === 0 && Array.isArray(document)) return document;
    problems.push({ path: 'upstreams', kind: kindOf(document), reason: 'must be one YAML list of upstreams' });
  } catch (error) {
    problems.push(yamlProblem('upstreams', error, text));
  }
  return [];
}

function parseCredentials(text: string, problems: Problem[]): Values {
  try {
    const document: unknown = JSON.parse(text);
    if (isMap(document)) return document;
  } catch {
    // The parser's message quotes the secret text.
  }
  problems.push({
    path: 'UPSTREAM_CREDENTIALS',
    kind: 'text',
    reason: 'must be a JSON map from namespace to {"username", "password"}',
  });
  return {};
}

function mergeCredentials(entries: readonly Entry[], secrets: Values, problems: Problem[]): Entry[] {
  const merged = entries.map((entry) => ({ ...entry }));
  const seen = new Set<string>();
  for (const [index, [namespace, secret]] of Object.entries(secrets).entries()) {
    const canonical = canonicalNamespace(namespace);
    // A key that is not what it should be may be a misplaced secret, so it is not repeated.
    const path = `UPSTREAM_CREDENTIALS[${canonical?.toString() ?? index}]`;
    if (!isMap(secret) || canonical === undefined) {
      const reason = isMap(secret) ? 'the key must be a registry host' : 'must be a map with username and password';
      problems.push({ path, kind: kindOf(secret), reason });
      continue;
    }
    if (seen.has(canonical.toString())) {
      problems.push({ path, kind: kindOf(secret), reason: 'repeats another key of the map' });
    }
    seen.add(canonical.toString());
    const count = Object.keys(secret).filter((name) => name !== 'username' && name !== 'password').length;
    if (count > 0) {
      const reason = `has ${count === 1 ? 'a key' : `${count} keys`} other than username and password`;
      problems.push({ path, kind: kindOf(secret), reason });
    }
    const { username, password } = secret;
    const known = merged.find(({ values }) => canonicalNamespace(values.namespace)?.equals(canonical));
    if (known && isHostedEntry(known)) {
      problems.push({ path, kind: kindOf(secret), reason: 'is a hosted namespace, which has no upstream' });
    } else if (known) known.values = { ...known.values, username, password };
    // A fallback host must not become a namespace that everybody can pull from with its password.
    else if (!merged.some(({ values }) => hasFallback(values, canonical)))
      merged.push({
        path,
        values: { namespace: canonical.toString(), host: defaultHost(canonical), username, password },
      });
  }
  return merged;
}

function hasFallback({ fallback_hosts: fallbacks }: Values, name: Namespace): boolean {
  return areMaps(fallbacks) && fallbacks.some(({ host }) => canonicalNamespace(host)?.equals(name));
}

/** Fallback hosts have credentials of their own, from the file or from the map under their host name. */
function readFallbacks(
  { namespace, fallback_hosts: fallbacks }: Values,
  secrets: Values,
  at: string,
  problems: Problem[],
): EndpointSettings[] {
  const entries = areMaps(fallbacks) ? fallbacks : [];
  return entries.map((entry, index) => {
    const path = `${at}.fallback_hosts[${index}]`;
    const name = canonicalNamespace(entry.host);
    const isName = (text: string) => name !== undefined && canonicalNamespace(text)?.equals(name) === true;
    const secret = Object.entries(secrets).find(([key]) => isName(key))?.[1];
    const values = isMap(secret) ? { ...entry, username: secret.username, password: secret.password } : entry;
    const first = entries.findIndex(
      ({ host, path_prefix: prefix }) => typeof host === 'string' && isName(host) && prefix === entry.path_prefix,
    );
    if (first !== -1 && first < index) {
      problems.push({ path: `${path}.host`, kind: 'text', reason: `repeats ${at}.fallback_hosts[${first}]` });
    }
    const { value, problems: found } = validateSettings(EndpointSettings, values, (name) => `${path}.${name}`);
    problems.push(...found);
    finishEndpoint(value, values, namespace, path, problems);
    return value;
  });
}

/** Reads what a host names: files, and where its credentials come from. */
function finishEndpoint(
  settings: EndpointSettings,
  { credentials }: Values,
  namespace: unknown,
  path: string,
  problems: Problem[],
): void {
  problems.push(...readPassword(settings, path), ...credentialProblems(settings, path));
  readCaFile(settings, path, problems);
  settings.credentialSources = readCredentials(credentials, namespace, `${path}.credentials`, problems);
  const others = settings.credentialSources.findIndex(({ repositories }) => repositories.length === 0);
  if (others === -1 || settings.username === undefined) return;
  const index = Array.isArray(credentials) ? `[${others}]` : '';
  const reason = `is for the repositories that no entry of credentials is for, as is ${path}.credentials${index}: give that repositories`;
  problems.push({ path: `${path}.username`, kind: 'text', reason });
}

function readTagRules(entries: readonly Values[], path: string, problems: Problem[]): TagRuleSettings[] {
  return entries.map((entry, index) => {
    const at = `${path}[${index}]`;
    const { value, problems: found } = validateSettings(TagRuleSettings, entry, (name) => `${at}.${name}`);
    const earlier = entries.findIndex(({ pattern }) => pattern === '*' || pattern === entry.pattern);
    problems.push(...found);
    if (earlier !== -1 && earlier < index)
      problems.push({ path: at, kind: 'a map', reason: `can never count: ${path}[${earlier}] comes first` });
    return value;
  });
}

/** Sets the password to the content of its file, without the trailing newline. */
function readPassword(settings: EndpointSettings, path: string): readonly Problem[] {
  const { passwordFile } = settings;
  if (typeof passwordFile !== 'string') return [];
  const at = `${path}.password_file`;
  if (settings.password !== undefined) return [{ path: at, kind: 'text', reason: 'cannot be combined with password' }];
  try {
    settings.password = readPasswordFile(passwordFile, at);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems;
  }
}

function credentialProblems({ username, password, passwordFile }: EndpointSettings, path: string): Problem[] {
  // A problem with the password file has already been reported.
  if ((username === undefined) === (password === undefined && passwordFile === undefined)) return [];
  const missing = username === undefined ? 'username' : 'password';
  return [{ path: `${path}.${missing}`, kind: 'missing', reason: 'username and password must be set together' }];
}

/** Sets the CAs to the content of their file. */
function readCaFile(settings: EndpointSettings, path: string, problems: Problem[]): void {
  if (typeof settings.caFile !== 'string') return;
  const at = `${path}.ca_file`;
  try {
    settings.certificateAuthorities = readSettingFile(settings.caFile, at);
    const reason = reasonAgainstCertificates(settings.certificateAuthorities);
    if (reason !== undefined) problems.push({ path: at, kind: 'a file', reason });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
  }
}

function duplicateNamespaces(entries: readonly Entry[]): Problem[] {
  const names = entries.map(({ values }) => canonicalNamespace(values.namespace)?.toString());
  return entries.flatMap(({ path }, index) => {
    const first = entries[names.indexOf(names[index])];
    if (first === undefined || first === entries[index]) return [];
    const at = path.startsWith('--') ? path : `${path}.namespace`;
    return [{ path: at, kind: 'text', reason: `repeats ${first.path}` }];
  });
}

function canonicalNamespace(text: unknown): Namespace | undefined {
  try {
    return typeof text === 'string' ? Namespace.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
