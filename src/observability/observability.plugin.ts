import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
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
    serveStatusPage(fastify, status, (mirror) => status.view(mirror));
  };
}
