import { kindOf, type Problem } from '../configuration-error.js';
import { HostedSettings } from './hosted.settings.js';
import { KeepSettings } from './keep.settings.js';
import { QuotaSettings } from './quota.settings.js';
import { UpstreamSettings } from '../upstream.settings.js';
import { parseBoolean, settingsOf } from '../validation/setting.decorator.js';
import { validateSettings, type Values } from '../validation/validation.js';

/** An entry of the upstream file, or of another source of namespaces, and its path in messages. */
export interface Entry {
  values: Values;
  path: string;
}

/** Whether an entry is one of a hosted namespace. A flag that is not valid counts, so that it is reported. */
export function isHostedEntry({ values: { hosted } }: Entry): boolean {
  if (hosted === undefined || hosted === null || hosted === false) return false;
  return typeof hosted !== 'string' || parseBoolean(hosted) !== false;
}

/** @param entries those of hosted namespaces. @param problems is appended to */
export function readHosted(entries: readonly Entry[], problems: Problem[]): HostedSettings[] {
  return entries.map(({ values, path }) => {
    const isOfUpstream = upstreamKeys.filter((name) => Object.hasOwn(values, name));
    const own = Object.fromEntries(Object.entries(values).filter(([name]) => !isOfUpstream.includes(name)));
    const { value, problems: found } = validateSettings(HostedSettings, own, (name) => `${path}.${name}`);
    problems.push(...found);
    const { namespace } = value;
    value.quotas = readMaps(QuotaSettings, namespace, own.quotas, `${path}.quotas`, problems);
    reportRepeated(value.quotas, `${path}.quotas`, problems);
    value.keep = readMaps(KeepSettings, namespace, own.keep, `${path}.keep`, problems);
    for (const name of isOfUpstream) {
      const reason = 'has no meaning for a hosted namespace, which has no upstream';
      problems.push({ path: `${path}.${name}`, kind: kindOf(values[name]), reason });
    }
    return value;
  });
}

/** Entries that are no maps have been reported by the rule of the list. */
function readMaps<T extends { repositories: string }>(
  type: new () => T,
  namespace: string,
  entries: unknown,
  path: string,
  problems: Problem[],
): T[] {
  const isMap = (entry: unknown): entry is Values =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry);
  const maps = Array.isArray(entries) ? entries.filter(isMap) : [];
  return maps.map((entry, index) => {
    const at = `${path}[${index}]`;
    const { value, problems: found } = validateSettings(type, entry, (name) => `${at}.${name}`);
    problems.push(...found);
    const { repositories } = value;
    if (typeof repositories === 'string' && repositories.startsWith(`${namespace}/`)) {
      const reason = `is a pattern within the namespace: leave ${namespace}/ out`;
      problems.push({ path: `${at}.repositories`, kind: 'text', reason });
    }
    return value;
  });
}

function reportRepeated(quotas: readonly QuotaSettings[], path: string, problems: Problem[]): void {
  for (const [index, { repositories }] of quotas.entries()) {
    const earlier = quotas.findIndex((other) => other.repositories === repositories);
    if (earlier === index) continue;
    problems.push({ path: `${path}[${index}]`, kind: 'a map', reason: `repeats ${path}[${earlier}]` });
  }
}

const hostedKeys = new Set(settingsOf(HostedSettings).map(({ name }) => name));
const upstreamKeys = settingsOf(UpstreamSettings)
  .flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
  .filter((name) => !hostedKeys.has(name));
