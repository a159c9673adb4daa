import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';
import { OciError } from '../../oci/error.js';
import { errorResponse } from '../responses/error.response.js';
import { send } from '../responses/send.js';

/** Milliseconds that a connection is read on after a refusal. */
const lingerTime = 5_000;

/** Of a connection, from Node. */
export type ClientError = Error & { readonly code?: string };

/** For clients that take this server for a proxy. */
export class ConnectError extends Error {
  readonly code = 'ERR_HTTP_CONNECT';
}

/** Responds with the specification's error document to what Node's HTTP parser refused. */
export function respondToClientError(error: ClientError, socket: Socket): void {
  // Already refused, see `endInStages`.
  if (socket.writableEnded && error.code?.startsWith('HPE_') === true) return;
  if (error.code === 'ECONNRESET' || !socket.writable || !isOfHttp(error.code)) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorResponse(errorOf(error.code));
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  endInStages(
    socket,
    `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}\r\n${lines.join('')}\r\n${typeof body === 'string' ? body : ''}`,
  );
}

/** What still arrives is read, and ignored: a connection that is closed with unread bytes is reset, and loses what was sent (RFC 9112 §9.6). */
function endInStages(socket: Socket, text: string): void {
  socket.end(text);
  const timer = setTimeout(() => socket.destroy(), lingerTime).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** An error below HTTP, such as a failed TLS handshake, leaves no way to respond. */
export function isOfHttp(code: string | undefined): boolean {
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
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function errorOf(code: string | undefined): OciError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new OciError('REQUEST_INVALID', 'the request header is too large', { status: 431 });
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new OciError('REQUEST_INVALID', 'the request took too long', { status: 408 });
  if (code === 'ERR_HTTP_CONNECT')
    return new OciError('UNSUPPORTED', 'this is a registry, not a proxy: HTTP_PROXY and HTTPS_PROXY must not name it');
  return new OciError('REQUEST_INVALID');
}
