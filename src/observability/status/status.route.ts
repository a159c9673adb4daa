import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mirrorAddress, type MirrorAddress } from '../clients/mirror-address.js';
import { prefersHtml } from './preferred-type.js';
import { statusPage } from './status.page.js';
import { statusPolicy } from './status.style.js';
import type { StatusView } from './status.view.js';

/** Where a reader of the public part goes to sign in. */
const signInPath = '/?sign-in';

/** What a reader sees, given the address at which the server was reached. */
export type ViewFor = (mirror: MirrorAddress | undefined) => StatusView;

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
  viewFor: (request: FastifyRequest) => ViewFor | 'sign in',
): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { method, originalUrl, headers } = request;
    const isSignIn = originalUrl === signInPath;
    if (method !== 'GET' || !(isSignIn || originalUrl === '/') || !prefersHtml(headers.accept)) {
      done();
      return;
    }
    const view = isSignIn && headers.authorization === undefined ? 'sign in' : viewFor(request);
    if (view === 'sign in') {
      // Browsers ask for a password by Basic only.
      void reply.code(401).header('www-authenticate', 'Basic realm="oci-registry"').send('sign in to see this page');
      return;
    }
    if (isSignIn) {
      void reply.redirect('/', 303);
      return;
    }
    const isTls = request.protocol === 'https' || headers['x-forwarded-proto'] === 'https';
    // Trusts X-Forwarded-Proto of a TLS-terminating proxy: only the reader who sent it sees the result.
    const page = statusPage(view(mirrorAddress(headers.host, isTls, namespaces, defaultNamespace)));
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
