import type { Settings } from '../config/settings.js';
import { Namespace } from '../oci/namespace.js';
import type { NamespaceRules } from './request-target.js';

/** The rules that resolve a request's namespace, from the settings. */
export function namespaceRules({
  server,
  upstreams,
  hosted,
}: Pick<Settings, 'server' | 'upstreams' | 'hosted'>): NamespaceRules {
  const namesOf = (entries: readonly { readonly namespace: string }[]) =>
    entries.map(({ namespace }) => Namespace.parse(namespace).toString());
  return {
    defaultNamespace: server.defaultNamespace,
    configured: new Set([...namesOf(upstreams), ...namesOf(hosted)]),
    hosted: new Set(namesOf(hosted)),
  };
}
