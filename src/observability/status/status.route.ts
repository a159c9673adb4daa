import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mirrorAddress, type MirrorAddress } from '../clients/mirror-address.js';
import { prefersHtml } from './preferred-type.js';
import { statusPage } from './status.page.js';
import { statusPolicy } from './status.style.js';
import type { StatusView } from './status.view.js';

/**
 * Answers browsers that ask for `/` with the page about the mirror. Everybody else, and every other path, is left to
 * the routes. A view that cannot be made fails like any other request.
 */
export function serveStatusPage(
  fastify: FastifyInstance,
  namespaces: readonly string[],
  view: (mirror: MirrorAddress | undefined) => StatusView,
): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'GET' || request.originalUrl !== '/' || !prefersHtml(request.headers.accept)) {
      done();
      return;
    }
    const page = statusPage(view(addressOf(request, namespaces)));
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

/** Behind a proxy that ends TLS the address is what the proxy was asked for; only the reader sees what it says here. */
function addressOf({ headers, protocol }: FastifyRequest, namespaces: readonly string[]): MirrorAddress | undefined {
  return mirrorAddress(headers.host, protocol === 'https' || headers['x-forwarded-proto'] === 'https', namespaces);
}
