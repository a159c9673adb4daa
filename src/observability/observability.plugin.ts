import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AccessService } from '../access/access.service.js';
import { signedInOf } from '../access/identified.request.js';
import { ServerSettings } from '../config/server.settings.js';
import { identifyRequests, logRequests } from './logging/request.log.js';
import { RequestMeter } from './logging/request.meter.js';
import { serveStatusPage } from './status/status.route.js';
import { StatusService } from './status/status.service.js';

/** Counts, identifies and logs requests. */
export function requestsPlugin(app: INestApplicationContext, logger: Logger) {
  return (fastify: FastifyInstance): void => {
    app.get(RequestMeter).watch(fastify);
    identifyRequests(fastify);
    logRequests(fastify, logger);
  };
}

/** Serves the status page unless it is switched off. */
export function statusPagePlugin(app: INestApplicationContext) {
  return (fastify: FastifyInstance): void => {
    if (!app.get(ServerSettings).statusPage) return;
    const status = app.get(StatusService);
    const access = app.get(AccessService);
    // It shows names of repositories and registries.
    const mayRead = (request: object) => !access.isEnabled || access.mayAdminister(signedInOf(request));
    serveStatusPage(fastify, status, (mirror) => status.view(mirror), mayRead);
  };
}
