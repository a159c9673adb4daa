import type { Settings } from '../config/settings.js';
import { Namespace } from '../oci/namespace.js';
import type { NamespaceRules } from './request-target.js';

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

/** The rules that resolve a request's namespace, from the settings. */
export function namespaceRules({
  server,
  upstreams,
  hosted,
}: Pick<Settings, 'server' | 'upstreams' | 'hosted'>): GrowingRules {
  const namesOf = (entries: readonly { readonly namespace: string }[]) =>
    entries.map(({ namespace }) => Namespace.parse(namespace).toString());
  return {
    defaultNamespace: server.defaultNamespace,
    configured: new Set([...namesOf(upstreams), ...namesOf(hosted)]),
    hosted: new Set(namesOf(hosted)),
    hasWholeCatalog: server.catalog === 'all',
  };
}
