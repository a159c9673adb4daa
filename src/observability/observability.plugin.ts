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
    serveStatusPage(fastify, status, (request) => {
      const signedIn = signedInOf(request);
      if (!access.isEnabled || access.mayAdminister(signedIn)) return (mirror) => status.view(mirror);
      const reader = access.readerOf(signedIn);
      // A wrong password shall be asked for again.
      if (reader.isAnonymous && request.headers.authorization !== undefined) return 'sign in';
      return reader.maySeeSomething ? (mirror) => status.view(mirror, reader) : 'sign in';
    });
  };
}
