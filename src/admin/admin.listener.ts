import type { FastifyInstance } from 'fastify';
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';

/** Requests that came to the admin address, where no token is needed. */
const arrived = new WeakSet<IncomingMessage>();

export function cameToAdminAddress(request: IncomingMessage): boolean {
  return arrived.has(request);
}

/** Connections to the admin address at one time: people and scripts, no crowd. */
const maxConnections = 256;

/**
 * A second server in front of the routes of the main one, for the admin address. It is not listening yet; the caller
 * closes it.
 * @param options limits and timeouts, as those of the main server.
 */
export function createAdminServer(main: Server, options: ServerOptions): Server {
  const server = createServer(options, (request, response) => {
    arrived.add(request);
    main.emit('request', request, response);
  });
  server.maxConnections = maxConnections;
  // Node answers other expectations than 100-continue with a bare 417, which no client asks for.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
}

/** At the admin address nothing is served but this room. Call it before there are routes to hook into. */
export function confineAdminAddress(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const isAdmin = request.routeOptions.url?.startsWith('/_admin/') === true;
    if (isAdmin || !cameToAdminAddress(request.raw)) done();
    else done(Object.assign(new Error('not served here'), { statusCode: 404 }));
  });
}
