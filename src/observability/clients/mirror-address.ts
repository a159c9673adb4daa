import { Namespace } from '../../oci/namespace.js';

/** The address at which clients reach this server. */
export interface ServerAddress {
  /** Base URL, without a trailing slash. */
  readonly url: string;
  /** `host[:port]`, as in an image name. */
  readonly host: string;
  readonly isTls: boolean;
}

/** The address at which clients reach the mirror, and the registries that they pull through it. */
export interface MirrorAddress extends ServerAddress {
  /** Registries, at least one, for clients that need an entry for each. */
  readonly namespaces: readonly string[];
  /** The registry of requests that name none. */
  readonly defaultNamespace: string;
}

/**
 * The address in a `Host` header, if it is a host name or IP address with an optional port: nothing else may get into a
 * configuration that somebody pastes.
 */
export function mirrorAddress(
  host: string | undefined,
  isTls: boolean,
  namespaces: readonly string[],
  defaultNamespace = 'docker.io',
): MirrorAddress | undefined {
  const canonical = canonicalHost(host ?? '');
  if (canonical === undefined) return undefined;
  const url = `${isTls ? 'https' : 'http'}://${canonical}`;
  return { url, host: hostInNames(canonical, isTls), isTls, namespaces, defaultNamespace };
}

function canonicalHost(text: string): string | undefined {
  try {
    const { host } = Namespace.parse(text);
    const [, port] = /:(\d+)$/.exec(text) ?? [];
    return port === undefined ? host : `${host}:${Number(port)}`;
  } catch {
    return undefined;
  }
}

/** Clients take a first component without dot and colon for a Docker Hub user; a port makes it a host. */
function hostInNames(host: string, isTls: boolean): string {
  return Namespace.looksLikeHost(host) ? host : `${host}:${isTls ? 443 : 80}`;
}
