import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage, ServerOptions } from 'node:http';
import type { KeyPair } from '../../config/key-pair.js';
import type { ServerSettings } from '../../config/server.settings.js';
import { toOciError } from '../exception.filter.js';
import { foldTarget, type NamespaceRules } from '../request-target.js';
import { errorResponse } from '../responses/error.response.js';
import { send } from '../responses/send.js';
import { respondToClientError } from './client.error.js';
import { secureOptions } from './secure.options.js';

/** Milliseconds in which the header of a request has to arrive, and the interval of the checks. */
const headersTimeout = 10_000;
const connectionsCheckingInterval = 2_000;
/** Milliseconds for the TLS handshake; Node's default is two minutes. */
const handshakeTimeout = 10_000;
/** Milliseconds in which a request, header and body, has to arrive where nothing is pushed. */
const requestTimeout = 30_000;
/** Milliseconds that an idle connection is kept: longer than load balancers keep theirs, so that they never reuse a closing one. */
const keepAliveTimeout = 75_000;

/** Limits and timeouts of every server that accepts HTTP requests. */
export function serverLimits({ maxHeaderSize }: ServerSettings): ServerOptions {
  return {
    maxHeaderSize,
    headersTimeout,
    connectionsCheckingInterval,
    requestTimeout,
    keepAliveTimeout,
    // Node's own refusal is not an error document; `refuseWithoutHost` sends one.
    requireHostHeader: false,
  };
}

/** Options of the main server. @param pair of the certificate, if it serves TLS */
export function serverOptions(settings: ServerSettings, rules: NamespaceRules, pair?: KeyPair) {
  // A body has deadlines of its own, see `IncomingBody`.
  const http = { ...serverLimits(settings), requestTimeout: 0 };
  return {
    exposeHeadRoutes: false,
    requestTimeout: 0,
    keepAliveTimeout,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    ...(pair ? { https: { ...http, ...secureOptions(pair), handshakeTimeout } } : { http }),
    // A reference may be a sha512 digest; names are limited by their own parser.
    routerOptions: { maxParamLength: 2048 },
    rewriteUrl: (request: IncomingMessage) => foldTarget(request.url ?? '/', rules, request.headers.host),
    clientErrorHandler: respondToClientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void send(reply, errorResponse(toOciError(error, request.method)));
    },
  } as const;
}
