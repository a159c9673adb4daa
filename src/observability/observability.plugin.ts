import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { identifyRequests, logRequests } from './logging/request.log.js';
import { RequestMeter } from './logging/request.meter.js';

/** Counts, identifies and logs requests. */
export function requestsPlugin(app: INestApplicationContext, logger: Logger) {
  return (fastify: FastifyInstance): void => {
    app.get(RequestMeter).watch(fastify);
    identifyRequests(fastify);
    logRequests(fastify, logger);
  };
}
