import { Namespace } from '../../oci/namespace.js';

/** Where clients reach the mirror, and what they pull through it. */
export interface MirrorAddress {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  /** `host[:port]` as it is written before the name of an image. */
  readonly host: string;
  readonly isTls: boolean;
  /** Registries that are pulled through it, at least one; for clients that take one entry for each. */
  readonly namespaces: readonly string[];
}

/**
 * The address that a `Host` header names. It is taken only when it is a host name or address with an optional port:
 * nothing else may get into a configuration that somebody pastes.
 */
export function mirrorAddress(
  host: string | undefined,
  isTls: boolean,
  namespaces: readonly string[],
): MirrorAddress | undefined {
  const canonical = canonicalHost(host ?? '');
  if (canonical === undefined) return undefined;
  const url = `${isTls ? 'https' : 'http'}://${canonical}`;
  return { url, host: hostInNames(canonical, isTls), isTls, namespaces };
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

/** Clients take a first component without dot and colon for a user of Docker Hub; the port makes it a host. */
function hostInNames(host: string, isTls: boolean): string {
  return Namespace.looksLikeHost(host) ? host : `${host}:${isTls ? 443 : 80}`;
}
