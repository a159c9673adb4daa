import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';
import { OciError } from '../../oci/error.js';
import { errorResponse } from '../responses/error.response.js';
import { send } from '../responses/send.js';

/** Responds with the specification's error document to what Node's HTTP parser refused. */
export function respondToClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || !isOfHttp(error.code)) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorResponse(errorOf(error.code));
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}\r\n${lines.join('')}\r\n${typeof body === 'string' ? body : ''}`,
  );
}

/** An error below HTTP, such as a failed TLS handshake, leaves no way to respond. */
function isOfHttp(code: string | undefined): boolean {
  return code === undefined || code.startsWith('HPE_') || code.startsWith('ERR_HTTP_');
}

/** A request of HTTP/1.1 has to name its host, once (RFC 9112 §3.2). */
export function refuseWithoutHost(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const hosts = countHosts(request.raw.rawHeaders);
    if (hosts === 1 || (hosts === 0 && request.raw.httpVersion !== '1.1')) {
      done();
      return;
    }
    reply.raw.shouldKeepAlive = false;
    void send(
      reply,
      errorResponse(
        new OciError(
          'REQUEST_INVALID',
          hosts === 0 ? 'the request has no Host header' : 'the request has two Host headers',
        ),
      ),
    );
  });
}

/** Node keeps the first of several. Names and values take turns. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function errorOf(code: string | undefined): OciError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new OciError('REQUEST_INVALID', 'the request header is too large', { status: 431 });
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new OciError('REQUEST_INVALID', 'the request took too long', { status: 408 });
  return new OciError('REQUEST_INVALID');
}
