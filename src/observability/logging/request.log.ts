import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { isComplete } from './complete.response.js';
import { pathOf } from './request.path.js';

/** Probes and scrapes are frequent and say nothing about pulls. */
const quietPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** Characters of a path in a log line. */
const longestPath = 256;

/** Sends the id of each request's log line with its response. */
export function identifyRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeader('x-request-id', request.id);
    done();
  });
}

/** Logs one line for each response that was sent or cut off, without headers and queries, which may hold secrets. */
export function logRequests(fastify: FastifyInstance, logger: Logger): void {
  if (!logger.isLevelEnabled('info')) return;
  fastify.addHook('onRequest', (request, reply, done) => {
    const level = quietPaths.has(request.originalUrl) ? 'debug' : 'info';
    const start = performance.now();
    const { socket } = request.raw;
    const bytesBefore = socket.bytesWritten;
    const response = reply.raw;
    response.once('close', () => {
      const { repository, reference, digest, id } = (request.params ?? {}) as Partial<Record<string, string>>;
      logger[level](
        {
          id: request.id,
          method: request.method,
          ...(repository === undefined
            ? { path: pathOf(request.originalUrl).slice(0, longestPath) }
            : { repository, reference: reference ?? digest ?? id }),
          status: response.statusCode,
          bytes: socket.bytesWritten - bytesBefore,
          ...receivedOf(request),
          duration: Math.round(performance.now() - start),
          cache: response.getHeader('x-cache'),
          ...(refusalOf(request) !== undefined && { error: refusalOf(request) }),
          ...(!isComplete(response, socket) && { aborted: true }),
        },
        'request',
      );
    });
    done();
  });
}

/** Bytes of its body that were read. */
function receivedOf(request: FastifyRequest): { readonly received?: number } {
  const { incomingBody } = request as FastifyRequest & { readonly incomingBody?: { readonly received: number } };
  return incomingBody === undefined ? {} : { received: incomingBody.received };
}

/** Why the request was refused, if the exception filter set it. */
function refusalOf(request: FastifyRequest): string | undefined {
  const { refusal } = request as FastifyRequest & { readonly refusal?: unknown };
  return typeof refusal === 'string' ? refusal : undefined;
}
