import type { FastifyInstance } from 'fastify';
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';

/** Requests that came to the admin address, where no token is needed. */
const adminRequests = new WeakSet<IncomingMessage>();

export function cameToAdminAddress(request: IncomingMessage): boolean {
  return adminRequests.has(request);
}

/** Concurrent connections to the admin address, which serves operators and scripts. */
const maxConnections = 256;

/**
 * A second server in front of the routes of the main one, for the admin address. It is not listening yet; the caller
 * closes it.
 * @param options limits and timeouts, as those of the main server.
 */
export function createAdminServer(main: Server, options: ServerOptions): Server {
  const server = createServer(options, (request, response) => {
    adminRequests.add(request);
    main.emit('request', request, response);
  });
  server.maxConnections = maxConnections;
  // Node would answer other expectations than 100-continue with a bare 417; no client asks for one.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
}

/** Serves nothing but `/_admin` at the admin address. */
export function confineAdminAddress(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const isAdmin = request.routeOptions.url?.startsWith('/_admin/') === true;
    if (isAdmin || !cameToAdminAddress(request.raw)) done();
    else done(Object.assign(new Error('not served here'), { statusCode: 404 }));
  });
}
