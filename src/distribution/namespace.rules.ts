import type { Settings } from '../config/settings.js';
import { Namespace } from '../oci/namespace.js';
import type { NamespaceRules } from './request-target.js';

type NamespaceEntries = Pick<Settings, 'upstreams' | 'hosted'>;

const namesOf = (entries: readonly { readonly namespace: string }[]) =>
  entries.map(({ namespace }) => Namespace.parse(namespace).toString());

/** Rules that names can be added to. */
export interface GrowingRules extends NamespaceRules {
  readonly configured: Set<string>;
  readonly hosted: Set<string>;
}

/** Content that was pushed under a name stays reachable by it, and is never looked for elsewhere. */
export function addHosted(rules: GrowingRules, names: readonly string[]): void {
  for (const name of names) {
    rules.configured.add(name);
    rules.hosted.add(name);
  }
}

/** Follows the upstream file: the next request is resolved by the new names. */
export function replaceNames(rules: GrowingRules, next: NamespaceEntries, former: readonly string[]): void {
  rules.configured.clear();
  rules.hosted.clear();
  for (const name of namesOf(next.upstreams)) rules.configured.add(name);
  addHosted(rules, [...namesOf(next.hosted), ...former]);
}

/** The rules that resolve a request's namespace, from the settings. */
export function namespaceRules({
  server,
  upstreams,
  hosted,
}: Pick<Settings, 'server' | 'upstreams' | 'hosted'>): GrowingRules {
  return {
    defaultNamespace: server.defaultNamespace,
    configured: new Set([...namesOf(upstreams), ...namesOf(hosted)]),
    hosted: new Set(namesOf(hosted)),
    hasWholeCatalog: server.catalog === 'all',
  };
}
