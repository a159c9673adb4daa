import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerOptions,
} from 'node:http';
import { reasonAgainst } from '../access/browser-origin.js';
import type { ServerSettings } from '../config/server.settings.js';
import { parseListenAddress } from '../config/values/listen-address.js';
import { OciError } from '../oci/error.js';

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
  server.on('clientError', (error, socket) => main.emit('clientError', error, socket));
  // Node would answer other expectations than 100-continue with a bare 417; no client asks for one.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
}

type AdminSettings = Pick<ServerSettings, 'adminListen' | 'statusPage'>;

/**
 * Serves nothing at the admin address but `/_admin`, whose guard decides, and the pages, whose visitors may do everything there:
 * no page of another site may read them or have them sent.
 */
export function confineAdminAddress({ adminListen, statusPage }: AdminSettings) {
  return (fastify: FastifyInstance): void => {
    fastify.addHook('onRequest', (request, _reply, done) => {
      const isAdmin = request.routeOptions.url?.startsWith('/_admin/') === true;
      if (isAdmin || !cameToAdminAddress(request.raw)) done();
      else if (!statusPage || !isPage(request)) done(Object.assign(new Error('not served here'), { statusCode: 404 }));
      else done(foreignError(request.headers, adminListen));
    });
  };
}

/** The overview is for browsers only. */
function isPage({ routeOptions, originalUrl, method, headers }: FastifyRequest): boolean {
  const isReading = method === 'GET' || method === 'HEAD';
  const isOverview = originalUrl === '/' && isReading && headers.accept?.includes('text/html') === true;
  return isOverview || routeOptions.url?.startsWith('/_ui/') === true;
}

function foreignError(headers: IncomingHttpHeaders, adminListen: string): OciError | undefined {
  const reason = reasonAtAdminAddress(headers, adminListen);
  return reason === undefined ? undefined : new OciError('DENIED', reason);
}

/** Why a request without a token is refused there; undefined if it is acceptable. A socket file is reached by no page. */
export function reasonAtAdminAddress(headers: IncomingHttpHeaders, adminListen: string): string | undefined {
  const address = parseListenAddress(adminListen);
  return address && 'path' in address ? undefined : reasonAgainst(headers, address?.host);
}
