import { isIP } from 'node:net';
import { connect, rootCertificates, type TLSSocket } from 'node:tls';
import type { Finding } from '../../config/check.js';
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
    const socket = connect({
      host,
      port: Number(base.port) || 443,
      ...(isIP(host) === 0 && { servername: host }),
      ...(certificateAuthorities !== undefined && { ca: [...rootCertificates, certificateAuthorities] }),
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
      finish({ status: 'fail', detail: `TLS connection failed (${error.code ?? 'unknown error'})` });
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
    return acceptsAny
      ? { status: 'warn', detail: `${detail}; accept_invalid_certs is set` }
      : { status: 'fail', detail };
  }
  return { status: days < expiresSoon ? 'warn' : 'ok', detail: life };
}
