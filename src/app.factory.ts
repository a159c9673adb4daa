import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import type { DestinationStream } from 'pino';
import { confineAdminAddress, createAdminServer } from './admin/admin.listener.js';
import { AppModule, type Replacements } from './app.module.js';
import { wantsTraces } from './config/opentelemetry.js';
import { checkKeyPair, keyPairFiles, readKeyPair } from './config/key-pair.js';
import { ServerSettings } from './config/server.settings.js';
import type { Settings } from './config/settings.js';
import { endAbandonedResponses } from './distribution/server/abandoned.responses.js';
import { CertificateService } from './distribution/server/certificate.service.js';
import { respondToClientError, refuseWithoutHost } from './distribution/server/client.error.js';
import { DrainService } from './distribution/server/drain.service.js';
import { toOciError } from './distribution/exception.filter.js';
import { errorResponse } from './distribution/responses/error.response.js';
import { namespaceRules } from './distribution/namespace.rules.js';
import { serveCachedResponses } from './distribution/responses/prepared.responses.js';
import { foldTarget } from './distribution/request-target.js';
import { secureOptions } from './distribution/server/secure.options.js';
import { send } from './distribution/responses/send.js';
import { JsonLogger } from './observability/logging/json.logger.js';
import { requestId } from './observability/logging/request.id.js';
import { logDestination } from './observability/logging/log.destination.js';
import { RequestMeter } from './observability/logging/request.meter.js';
import { identifyRequests, logRequests } from './observability/logging/request.log.js';
import { serveStatusPage } from './observability/status/status.route.js';
import { StatusService } from './observability/status/status.service.js';
import { followTraces } from './observability/logging/trace.context.js';
import { openTracing } from './observability/logging/tracing.js';
import { TrafficCounts } from './registry/statistics/traffic.counts.js';
import { SiblingServer } from './process/sibling.server.js';

/** Milliseconds in which the header of a request has to arrive, and how often connections are looked at for it. */
const headersTimeout = 10_000;
const connectionsCheckingInterval = 2_000;
/** Milliseconds for the handshake of TLS; Node would wait for two minutes. */
const handshakeTimeout = 10_000;
/** Milliseconds in which a request, header and body, has to arrive. */
const requestTimeout = 30_000;
/** Milliseconds that an idle connection is kept; longer than usual balancers keep theirs, so that they never meet a closing one. */
const keepAliveTimeout = 75_000;

export interface AppOptions extends Replacements {
  /** Where log lines go; standard output unless given. */
  readonly log?: DestinationStream;
}

/**
 * The server as a value: initialized and not yet listening. Whoever has it closes it.
 * @throws StorageError when the storage cannot be used; ConfigurationError when the certificate cannot.
 */
export async function createApp(settings: Settings, options: AppOptions = {}): Promise<NestFastifyApplication> {
  const { logLevel, worker, maxConnections, maxHeaderSize, clientTimeout } = settings.server;
  const logger = new JsonLogger(logLevel, await logDestination(settings.server, options.log), worker);
  const rules = namespaceRules(settings);
  const files = keyPairFiles(settings.server);
  const pair = files && readKeyPair(files);
  if (pair) checkKeyPair(pair, Date.now());
  // Node would refuse a request without Host in its own words; `refuseWithoutHost` does it in the specification's.
  const http = { maxHeaderSize, headersTimeout, connectionsCheckingInterval, requireHostHeader: false };
  const tracing = wantsTraces() ? await openTracing((message) => logger.warn(message, 'Tracing')) : undefined;
  const adapter = new FastifyAdapter({
    exposeHeadRoutes: false,
    requestTimeout,
    keepAliveTimeout,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    skipMiddie: true,
    ...(pair ? { https: { ...http, ...secureOptions(pair), handshakeTimeout } } : { http }),
    genReqId: requestId,
    // A reference may be a sha512 digest; names are limited by their own parser.
    routerOptions: { maxParamLength: 2048 },
    rewriteUrl: (request: IncomingMessage) => foldTarget(request.url ?? '/', rules),
    clientErrorHandler: respondToClientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void send(reply, errorResponse(toOciError(error, request.method)));
    },
  });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest's options are a class only by name
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.register(settings, options), adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  const fastify = adapter.getInstance();
  // Nothing that is served takes a body, so none is read: one that comes is refused with its request.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, _payload, done) => done(null));
  // Node answers other expectations than 100-continue with a bare 417, which no client asks for.
  fastify.server.on('checkExpectation', (request, response) => fastify.server.emit('request', request, response));
  fastify.server.maxConnections = maxConnections;
  fastify.decorate('clientTimeout', clientTimeout);
  fastify.decorate('traffic', app.get(TrafficCounts));
  fastify.decorateRequest('refusal', undefined);
  endAbandonedResponses(fastify);
  app.get(DrainService).watch(fastify);
  app.get(RequestMeter).watch(fastify);
  if (files && pair) app.get(CertificateService).watch(fastify.server as unknown as TlsServer, files, pair);
  identifyRequests(fastify);
  logRequests(fastify, logger.pino);
  refuseWithoutHost(fastify);
  confineAdminAddress(fastify);
  if (settings.server.statusPage) {
    const status = app.get(StatusService);
    serveStatusPage(fastify, status.namespaces, (mirror) => status.view(mirror));
  }
  followTraces(fastify, tracing);
  serveCachedResponses(fastify);
  await app.init();
  await fastify.ready();
  return app;
}

/** The server for the admin address of an app, not yet listening. Whoever has it closes it, before the app. */
export function adminServerOf(app: NestFastifyApplication): Server {
  const server = createAdminServer(app.getHttpAdapter().getInstance(), limitsOf(app.get(ServerSettings)));
  return server.on('clientError', respondToClientError);
}

/** Of a server that answers in front of the main one, as that has them. */
function limitsOf({ maxHeaderSize }: ServerSettings): ServerOptions {
  return {
    maxHeaderSize,
    headersTimeout,
    connectionsCheckingInterval,
    requestTimeout,
    keepAliveTimeout,
    requireHostHeader: false,
  };
}

/** A server for the other workers, not yet listening. Whoever has it closes it, before the app that it gets. */
export function createSiblingServer(settings: ServerSettings): SiblingServer {
  const sibling = new SiblingServer(limitsOf(settings), settings.maxConnections);
  sibling.server.on('clientError', respondToClientError);
  return sibling;
}
