import type { Settings } from '../config/settings.js';
import { Namespace } from '../oci/namespace.js';
import type { NamespaceRules } from './request-target.js';

/** The rules that resolve a request's namespace, from the settings. */
export function namespaceRules({ server, upstreams }: Pick<Settings, 'server' | 'upstreams'>): NamespaceRules {
  const configured = new Set(upstreams.map(({ namespace }) => Namespace.parse(namespace).toString()));
  return { defaultNamespace: server.defaultNamespace, configured };
}
