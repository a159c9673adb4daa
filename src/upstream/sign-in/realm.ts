import { getDomain } from 'tldts';
import { portOf, type Upstream } from '../upstream.js';

/**
 * Whether credentials of an upstream may go to a token realm: over https (unless the upstream itself is plain http), to a
 * server of the same site, or to one that the operator listed. Challenges are untrusted input: realms have been used to
 * collect passwords (CVE-2026-33540 and others).
 */
export function mayReceiveCredentials(upstream: Upstream, realm: URL): boolean {
  if (realm.protocol !== 'https:' && upstream.settings.tls) return false;
  return isSameSite(upstream, realm) || upstream.listsRealm(realm);
}

/**
 * Whether a URL is of the upstream's own origin, or of its registrable domain at the default port or the upstream's port.
 * Other ports of a host, and other hosts without such a domain, may be servers of other parties.
 */
export function isSameSite({ base }: Upstream, url: URL): boolean {
  if (url.origin === base.origin) return true;
  if (url.port !== '' && portOf(url) !== portOf(base)) return false;
  const domain = registrableDomain(url.hostname);
  return domain !== null && domain === registrableDomain(base.hostname);
}

/** Null for addresses and for names that are themselves public suffixes, private ones (`github.io`) included. */
function registrableDomain(hostname: string): string | null {
  return getDomain(hostname, { allowPrivateDomains: true });
}
