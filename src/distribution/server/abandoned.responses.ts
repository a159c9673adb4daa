import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Ends the answers of a connection that is gone. Node ends only the one that was being sent; those of requests that came
 * behind it on the same connection (RFC 9112 §9.3.2) would wait for their turn for ever, with all that they hold.
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
