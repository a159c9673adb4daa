import type { TlsRemedies } from '../../config/transport/tls-failure.js';

/** Settings of the upstream file that mend TLS connections to registries. */
export const tlsRemedies: TlsRemedies = {
  trust: 'set ca_file of the upstream, or NODE_EXTRA_CA_CERTS for all hosts',
  plain: 'set tls: false for the upstream',
  rename: 'set host of the upstream to a name that it contains',
};

/** For a host that was sent plain http. */
export const tlsHint = 'if it expects TLS, remove tls: false from the upstream';
