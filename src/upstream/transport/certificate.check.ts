import { isIP } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Finding } from '../../config/check.js';
import { explainTlsFailure, remedyOf, tlsFailureOf } from '../../config/transport/tls-failure.js';
import { tlsRemedies } from './tls-remedies.js';
import type { Upstream } from '../upstream.js';

/** Days before expiry from which a certificate should be renewed. */
const expiresSoon = 14;
const day = 86_400_000;

/** Whether pulls accept the upstream's certificate, and for how long. */
export function checkCertificate(
  { base, certificateAuthorities, settings }: Upstream,
  signal: AbortSignal,
): Promise<Finding> {
  const host = base.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = tls.connect({
      host,
      port: Number(base.port) || 443,
      ...(isIP(host) === 0 && { servername: host }),
      ...(certificateAuthorities !== undefined && { ca: [...tls.rootCertificates, certificateAuthorities] }),
      // Invalid certificates are described below.
      rejectUnauthorized: false,
    });
    const finish = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    signal.addEventListener('abort', () => finish({ status: 'fail', detail: 'took too long' }), { once: true });
    socket.once('secureConnect', () => finish(judge(socket, settings.acceptInvalidCerts)));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const reason = explainTlsFailure(error, tlsRemedies);
      finish({ status: 'fail', detail: reason ?? `TLS connection failed (${error.code ?? 'unknown error'})` });
    });
  });
}

function judge(socket: TLSSocket, acceptsAny: boolean): Finding {
  const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / day);
  const life = days < 0 ? `expired ${-days} days ago` : `valid for ${days} days`;
  if (!socket.authorized) {
    // Documented as an error, but a code in practice.
    const reason = String((socket.authorizationError as Error & { code?: string }).code ?? socket.authorizationError);
    const detail = `not accepted: ${reason}; ${life}`;
    if (acceptsAny) return { status: 'warn', detail: `${detail}; accept_invalid_certs is set` };
    const failure = tlsFailureOf(Object.assign(new Error(), { code: reason }));
    const remedy = failure && remedyOf(failure, tlsRemedies);
    const names = failure?.kind === 'wrong-name' ? `; it is for ${namesOf(socket)}` : '';
    return { status: 'fail', detail: `${detail}${names}${remedy === undefined ? '' : `; ${remedy}`}` };
  }
  return { status: days < expiresSoon ? 'warn' : 'ok', detail: life };
}

/** Names of the certificate, as many as fit a line. */
function namesOf(socket: TLSSocket): string {
  const { subjectaltname = 'no name' } = socket.getPeerCertificate();
  return subjectaltname.replaceAll(/DNS:|IP Address:/g, '').slice(0, 120);
}
