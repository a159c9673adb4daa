import { isIP } from 'node:net';
import { connect, rootCertificates, type TLSSocket } from 'node:tls';
import type { Finding } from '../../config/check.js';
import type { Upstream } from '../upstream.js';

/** Days before its end that a certificate should have been renewed. */
const soon = 14;
const day = 86_400_000;

/** Whether the upstream's certificate is one that pulls would accept, and for how long. */
export function checkCertificate({ base, authorities, settings }: Upstream, signal: AbortSignal): Promise<Finding> {
  const host = base.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(base.port) || 443,
      ...(isIP(host) === 0 && { servername: host }),
      ...(authorities !== undefined && { ca: [...rootCertificates, authorities] }),
      // Looked at below: an invalid one is to be described.
      rejectUnauthorized: false,
    });
    const finish = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    signal.addEventListener('abort', () => finish({ status: 'fail', detail: 'took too long' }), { once: true });
    socket.once('secureConnect', () => finish(judge(socket, settings.acceptInvalidCerts)));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      finish({ status: 'fail', detail: `no TLS connection (${error.code ?? 'unknown error'})` });
    });
  });
}

function judge(socket: TLSSocket, acceptsAny: boolean): Finding {
  const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / day);
  const life = days < 0 ? `expired ${-days} days ago` : `valid for ${days} days`;
  if (!socket.authorized) {
    // An error where Node's types and documentation say so, and a code where it is one.
    const reason = String((socket.authorizationError as Error & { code?: string }).code ?? socket.authorizationError);
    const detail = `not accepted: ${reason}; ${life}`;
    return acceptsAny
      ? { status: 'warn', detail: `${detail}; accept_invalid_certs is set` }
      : { status: 'fail', detail };
  }
  return { status: days < soon ? 'warn' : 'ok', detail: life };
}
