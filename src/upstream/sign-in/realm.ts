import { getDomain } from 'tldts';
import type { Upstream } from '../upstream.js';

/**
 * Whether credentials of an upstream may go to a token realm: over https (unless the upstream itself is plain http), to
 * its own origin, to a host of the same registrable domain, or to one that the operator listed. Another port of an
 * address or of a name without such a domain may be another party's server. Challenges are
 * untrusted input: realms have been used to collect passwords (CVE-2026-33540 and others).
 */
export function mayReceiveCredentials(upstream: Upstream, realm: URL): boolean {
  if (realm.protocol !== 'https:' && upstream.settings.tls) return false;
  if (realm.origin === upstream.base.origin || upstream.listsRealm(realm)) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== null && domain === registrableDomain(upstream.base.hostname);
}

/** Null for addresses and for names that are themselves public suffixes, private ones (`github.io`) included. */
function registrableDomain(hostname: string): string | null {
  return getDomain(hostname, { allowPrivateDomains: true });
}
