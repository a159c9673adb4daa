import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mirrorAddress, type MirrorAddress } from '../clients/mirror-address.js';
import { prefersHtml } from './preferred-type.js';
import { statusPage } from './status.page.js';
import { statusPolicy } from './status.style.js';
import type { StatusView } from './status.view.js';

/** What a client's configuration depends on. */
export interface ClientNamespaces {
  readonly namespaces: readonly string[];
  readonly defaultNamespace: string;
}

/**
 * Sends browsers the status page at `/`. Other clients and paths go to the routes. If the view cannot be made, the
 * request fails like any other.
 */
export function serveStatusPage(
  fastify: FastifyInstance,
  { namespaces, defaultNamespace }: ClientNamespaces,
  view: (mirror: MirrorAddress | undefined) => StatusView,
  mayRead: (request: FastifyRequest) => boolean,
): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'GET' || request.originalUrl !== '/' || !prefersHtml(request.headers.accept)) {
      done();
      return;
    }
    if (!mayRead(request)) {
      // Browsers ask for a password by Basic only.
      void reply.code(401).header('www-authenticate', 'Basic realm="oci-registry"').send('sign in to see this page');
      return;
    }
    const isTls = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https';
    // Trusts X-Forwarded-Proto of a TLS-terminating proxy: only the reader who sent it sees the result.
    const page = statusPage(view(mirrorAddress(request.headers.host, isTls, namespaces, defaultNamespace)));
    void reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': statusPolicy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        vary: 'accept',
      })
      .send(page);
  });
}
