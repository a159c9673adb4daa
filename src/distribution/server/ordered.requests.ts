import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { watchEnd } from '../responses/response.sink.js';

/** Pipelined requests that may wait on one connection. Reading stops at the first, so only one packet can hold more. */
const maxWaiting = 4_096;

type Exchange = readonly [IncomingMessage, ServerResponse];

/**
 * Lets a connection have one request in progress: the next begins when the client has taken the response before. Node
 * itself begins every pipelined request at once (RFC 9112 §9.3.2), so that a packet of requests would cost what as many
 * clients do.
 * @param timeout milliseconds that a client may take for the end of a response.
 * @param respond responds to a request before the server's listeners do, and watches the end itself; false if it does not.
 */
export function handleInOrder(
  server: Server,
  timeout: number,
  respond: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): void {
  const handlers = server.listeners('request') as RequestListener[];
  const waiting = new WeakMap<Socket, Exchange[]>();

  const begin = ([request, response]: Exchange, socket: Socket) => {
    if (!respond(request, response)) {
      watchEnd(response, timeout);
      for (const handle of handlers) handle(request, response);
    }
    // After the listeners that count what the connection has sent: the next response may follow at once.
    response.on('close', () => advance(socket, response));
  };

  const advance = (socket: Socket, { shouldKeepAlive }: ServerResponse) => {
    const queue = waiting.get(socket) ?? [];
    // After the last response of a connection Node sends no other. What waits then waits for its end, and what comes later
    // waits behind it: a response to that would be out of order, which ends the process.
    if (socket.writableEnded || (!shouldKeepAlive && queue.length > 0)) {
      socket.resume();
      return;
    }
    const next = queue.shift();
    if (!next || socket.destroyed) {
      waiting.delete(socket);
      // Does nothing after the end.
      socket.resume();
      return;
    }
    // Node resumes reading after each response.
    socket.pause();
    begin(next, socket);
  };

  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    const queue = waiting.get(socket);
    if (!queue) {
      waiting.set(socket, []);
      begin([request, response], socket);
      return;
    }
    socket.pause();
    if (queue.push([request, response]) > maxWaiting) socket.destroy();
  });
}
