import { Namespace } from '../../../oci/namespace.js';
import { matchesPattern } from '../../../oci/patterns/pattern.js';

/** The key of Docker Hub in every file and helper that `docker login` writes to. */
const dockerHubKey = 'https://index.docker.io/v1/';

/** What a key of `auths` or `credHelpers` names. */
export interface RegistryKey {
  /** In canonical form, so that all names of Docker Hub are one; `*` stands for any characters of a label. */
  readonly host: string;
  /** Components of a repository's name, joined by slashes; empty for the whole registry. */
  readonly path: string;
  readonly isUrl: boolean;
}

/**
 * Keys are hosts, hosts with a path (Podman, Kubernetes), and URLs, some with the path of an API (earlier Dockers).
 * @returns undefined when it names no registry.
 */
export function parseRegistryKey(key: string): RegistryKey | undefined {
  const [, scheme = '', name = '', rest = ''] = /^(https?:\/\/)?([^/?#]+)(\/[^?#]*)?$/i.exec(key.trim()) ?? [];
  const host = canonicalHost(name);
  if (host === undefined) return undefined;
  const isUrl = scheme !== '';
  // Without a scheme, `v1` or `v2` in front of something else is a component of a name.
  const path = rest.replace(isUrl ? /^\/v[12](?=\/|$)/ : /^\/v[12]\/?$/, '');
  return { host, path: path.replace(/\/{2,}/g, '/').replace(/^\/|\/$/g, ''), isUrl };
}

/** The host of a registry in the form of keys. */
export function canonicalHost(name: string): string | undefined {
  // A star counts as a letter of the name.
  const stand = 'xstarx';
  try {
    return Namespace.parse(name.replaceAll('*', stand)).toString().replaceAll(stand, '*');
  } catch {
    return undefined;
  }
}

/** Whether the host of a key stands for this one, label by label as Kubernetes compares them. */
export function matchesHost(pattern: string, host: string): boolean {
  if (!pattern.includes('*')) return pattern === host;
  const labels = pattern.split('.');
  const others = host.split('.');
  return labels.length === others.length && labels.every((label, index) => matchesPattern(label, others[index] ?? ''));
}

/** The server that Docker asks a helper for. @param host in canonical form */
export function serverOf(host: string): string {
  return host === 'docker.io' ? dockerHubKey : host;
}
