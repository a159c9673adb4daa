import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import type { PushBody } from '../../registry/push.js';
import { IncomingBody } from './incoming.body.js';

/** What a route needs of a request besides what the framework parses. */
interface BodyRequest {
  incomingBody: IncomingBody | undefined;
  /** Content-Type, whatever it is. */
  contentType: string | undefined;
}

/** Gives each body its deadlines. Bodies stay unparsed: routes that take one read it as it arrives. */
export function receiveBodies(fastify: FastifyInstance, timeout: number): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, _payload, done) => done(null));
  fastify.decorateRequest('incomingBody', undefined);
  fastify.decorateRequest('contentType', undefined);
  // Node would send 100 Continue at once; a refusal should come before the body does.
  fastify.server.on('checkContinue', (request, response) => fastify.server.emit('request', request, response));
  fastify.addHook('onRequest', (request, reply, done) => {
    const { headers, raw } = request;
    const { 'content-type': contentType } = headers;
    if (contentType !== undefined) {
      // Clients send odd types with their blobs, and without a body; the framework refuses what it cannot parse.
      Object.assign(request, { contentType });
      delete headers['content-type'];
    }
    if (hasBody(request)) {
      const refuse = () => refuseLate(fastify.server, reply.raw);
      const body = new IncomingBody(raw, reply.raw, timeout, refuse);
      Object.assign(request, { incomingBody: body });
      // Only routes of this module read a body through it.
      if (!isDistribution(request) && headers.expect !== undefined) reply.raw.writeContinue();
    }
    done();
  });
}

/** The body of a request, if it has one. */
export function bodyOf(request: FastifyRequest): IncomingBody | undefined {
  return (request as FastifyRequest & Partial<BodyRequest>).incomingBody;
}

export function contentTypeOf(request: FastifyRequest): string | undefined {
  return (request as FastifyRequest & Partial<BodyRequest>).contentType;
}

/** Stands for the body of a request without one. */
export const noBody: PushBody = {
  length: 0,
  async *chunks() {
    // Has none.
  },
};

function hasBody({ headers }: FastifyRequest): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

function isDistribution({ raw }: FastifyRequest): boolean {
  return raw.url?.startsWith('/v2/') === true;
}

/** As Node does it for its own request timeout. */
function refuseLate(server: Server, response: ServerResponse): void {
  const { socket } = response;
  if (response.headersSent || !socket) response.destroy();
  else server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
}
