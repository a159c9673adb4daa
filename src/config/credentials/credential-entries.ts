import { Namespace } from '../../oci/namespace.js';
import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import { kindOf, type Problem } from '../configuration-error.js';
import { didYouMean, nearestName } from '../validation/nearest-name.js';
import { isPatternOfNames } from '../validation/rules.js';
import { validateSettings, type Values } from '../validation/validation.js';
import type { CheckedOptions } from './checked-options.js';
import { sourceSettings, type CredentialSettings, type OptionsOf, type SourceKind } from './credential.settings.js';

const kinds = Object.keys(sourceSettings) as SourceKind[];
/** Most entries of one host, and most patterns of one entry. */
const maxEntries = 100;
const reasonOfPattern =
  'must be a pattern of names within the namespace, such as team/**, in which * stands for characters and ** for components';

/** A map with one of these keys, a list of such maps, or the key alone. */
export const shapeOfCredentials = `must be a map with one of ${kinds.join(', ')}, or a list of such maps`;

export function areCredentials(value: unknown): boolean {
  if (Array.isArray(value)) return value.length <= maxEntries && value.every((entry) => isMap(entry) || isText(entry));
  return isMap(value) || isText(value);
}

/**
 * The entries of `credentials`, those for certain repositories first, the most specific pattern before others.
 * @param path of `credentials` in messages. @param problems is appended to
 */
export function readCredentials(
  value: unknown,
  namespace: unknown,
  path: string,
  problems: Problem[],
): CredentialSettings[] {
  // Another shape has been reported by the rule of the setting.
  if (value === undefined || value === null || !areCredentials(value)) return [];
  const entries = Array.isArray(value) ? (value as unknown[]) : [value];
  const at = (index: number) => (Array.isArray(value) ? `${path}[${index}]` : path);
  const before = problems.length;
  const read = entries.map((entry, index) => readEntry(entry, namespace, at(index), problems));
  if (problems.length === before) reportRepeated(read, at, problems);
  return read.filter((entry) => entry !== undefined);
}

function readEntry(
  entry: unknown,
  namespace: unknown,
  path: string,
  problems: Problem[],
): CredentialSettings | undefined {
  const { repositories: given, ...sources } = isMap(entry) ? entry : { [String(entry)]: null };
  const repositories = readPatterns(given, namespace, `${path}.repositories`, problems);
  const names = Object.keys(sources);
  const known = kinds.filter((kind) => Object.hasOwn(sources, kind));
  for (const name of names.filter((each) => !known.some((kind) => kind === each))) {
    const at = isMap(entry) ? `${path}.${name.slice(0, 64)}` : path;
    const reason = `is not a known source${didYouMean(nearestName(name, isMap(entry) ? [...kinds, 'repositories'] : kinds))}`;
    problems.push({ path: at, kind: kindOf(isMap(entry) ? sources[name] : entry), reason });
  }
  const [kind, ...more] = known;
  if (kind === undefined || more.length > 0) {
    const reason = `must have exactly one of ${kinds.join(', ')}`;
    if (names.length === known.length) problems.push({ path, kind: 'a map', reason });
    return undefined;
  }
  const options = readOptions(kind, sources[kind], `${path}.${kind}`, problems);
  return options && ({ kind, options, repositories } as CredentialSettings);
}

function readOptions<K extends SourceKind>(
  kind: K,
  values: unknown,
  path: string,
  problems: Problem[],
): OptionsOf<K> | undefined {
  if (values !== null && values !== undefined && !isMap(values)) {
    problems.push({ path, kind: kindOf(values), reason: `must be a map with the options of ${kind}, {} for none` });
    return undefined;
  }
  const type: new () => OptionsOf<SourceKind> = sourceSettings[kind];
  const { value, problems: found } = validateSettings(type, values ?? {}, (name) => `${path}.${name}`);
  problems.push(...found);
  // What is wrong with a value says more than what follows from it.
  if (found.length === 0 && isChecked(value)) {
    for (const { name, ...mistake } of value.mistakes()) problems.push({ path: `${path}.${name}`, ...mistake });
  }
  return value as OptionsOf<K>;
}

function readPatterns(given: unknown, namespace: unknown, path: string, problems: Problem[]): string[] {
  if (given === undefined || given === null) return [];
  const patterns = Array.isArray(given) ? (given as unknown[]) : [given];
  if (patterns.length === 0 || patterns.length > maxEntries) {
    problems.push({ path, kind: kindOf(given), reason: `must be a list of 1 to ${maxEntries} patterns` });
    return [];
  }
  return patterns.flatMap((pattern, index) => {
    const at = Array.isArray(given) ? `${path}[${index}]` : path;
    const isWhole = typeof pattern === 'string' && typeof namespace === 'string' && pattern.startsWith(`${namespace}/`);
    if (isWhole) {
      const reason = `is a pattern within the namespace: leave ${namespace}/ out`;
      problems.push({ path: at, kind: 'text', reason });
      return [];
    }
    if (isPatternOfNames(pattern)) return [pattern];
    problems.push({ path: at, kind: kindOf(pattern), reason: reasonOfPattern });
    return [];
  });
}

function reportRepeated(
  entries: readonly (CredentialSettings | undefined)[],
  at: (index: number) => string,
  problems: Problem[],
): void {
  const seen = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    if (!entry) continue;
    const { repositories } = entry;
    const patterns = repositories.length === 0 ? [''] : repositories;
    for (const [place, pattern] of patterns.entries()) {
      const first = seen.get(pattern);
      if (first === undefined) {
        seen.set(pattern, index);
        continue;
      }
      const reason =
        pattern === ''
          ? `can never count: ${at(first)} is for all other repositories already, give one of them repositories`
          : `repeats a pattern of ${at(first)}`;
      const path = pattern === '' ? at(index) : `${at(index)}.repositories[${place}]`;
      problems.push({ path, kind: pattern === '' ? 'a map' : 'text', reason });
    }
  }
}

/** Orders patterns: the one with the most literal path components first, then the longest. */
export function comparePatterns(a: string, b: string): number {
  const literals = (pattern: string) => pattern.split('/').filter((component) => !component.includes('*')).length;
  return literals(b) - literals(a) || b.replaceAll('*', '').length - a.replaceAll('*', '').length || (a < b ? -1 : 1);
}

/** A pattern of names within a namespace that has been validated. */
export function patternWithin(namespace: Namespace, pattern: string): RepositoryPattern {
  return RepositoryPattern.parse(`${namespace.toString()}/${pattern}`);
}

function isChecked(options: object): options is CheckedOptions {
  return 'mistakes' in options && typeof options.mistakes === 'function';
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
