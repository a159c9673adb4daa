import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Closes the responses of a closed connection. Node closes only the one being sent; those of pipelined requests behind
 * it (RFC 9112 §9.3.2) would stay open for ever, with everything they hold.
 */
export function endAbandonedResponses(fastify: FastifyInstance): void {
  const pending = new WeakMap<Socket, Set<ServerResponse>>();
  fastify.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    const response = reply.raw;
    const responses = pending.get(socket) ?? new Set();
    if (!pending.has(socket)) {
      pending.set(socket, responses);
      socket.once('close', () => responses.forEach(abandon));
    }
    responses.add(response);
    response.once('close', () => responses.delete(response));
    done();
  });
}

function abandon(response: ServerResponse): void {
  response.destroy();
  response.emit('close');
}
