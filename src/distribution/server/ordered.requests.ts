import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { watchEnd } from '../responses/response.sink.js';
import { ConnectError, isOfHttp, type ClientError } from './client.error.js';

/** Pipelined requests that may wait on one connection. Reading stops at the first, so only one packet can hold more. */
const maxWaiting = 4_096;

type Exchange = readonly [IncomingMessage, ServerResponse];
type ErrorListener = (error: ClientError, socket: Socket) => void;

/** What has arrived on one connection. */
interface Arrivals {
  current: Exchange | undefined;
  readonly waiting: Exchange[];
  latest: IncomingMessage | undefined;
  /** What Node's parser has refused behind the requests that wait. */
  fault: ClientError | undefined;
}

/**
 * Lets a connection have one request in progress: the next begins when the client has taken the response before. Node
 * itself begins every pipelined request at once (RFC 9112 §9.3.2), so that a packet of requests would cost what as many
 * clients do. It also reports at once what it cannot parse, although the responses to the requests before come first.
 */
export class OrderedRequests {
  private readonly connections = new WeakMap<Socket, Arrivals>();
  private handlers: readonly RequestListener[] = [];
  private errorHandlers: readonly ErrorListener[] = [];

  /**
   * @param timeout milliseconds that a client may take for the end of a response.
   * @param respond responds to a request before the server's listeners do, and watches the end itself; false if it does not.
   */
  constructor(
    private readonly timeout: number,
    private readonly respond: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
  ) {}

  /** Takes the place of the server's listeners for requests and for errors of clients, and calls them in order. */
  handle(server: Server): void {
    this.handlers = server.listeners('request') as RequestListener[];
    this.errorHandlers = server.listeners('clientError') as ErrorListener[];
    server.removeAllListeners('request').removeAllListeners('clientError');
    server.on('request', (request, response) => this.accept(request, response));
    server.on('clientError', (error: ClientError, socket: Socket) => this.refuse(error, socket));
    server.on('connect', (_request: IncomingMessage, socket: Socket) => {
      // Node has let go of the connection.
      socket.on('error', () => socket.destroy()).once('finish', () => socket.destroy());
      socket.resume();
      this.refuse(new ConnectError(), socket);
    });
  }

  /** Whether another request of the client waits for the end of a response. */
  isFollowed({ req }: ServerResponse): boolean {
    return (this.connections.get(req.socket)?.waiting.length ?? 0) > 0;
  }

  private accept(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const arrivals = this.arrivalsOf(socket);
    arrivals.latest = request;
    // A header that was late has arrived after all.
    arrivals.fault = undefined;
    if (arrivals.current) {
      socket.pause();
      if (arrivals.waiting.push([request, response]) > maxWaiting) socket.destroy();
    } else if (!socket.writableEnded) this.begin([request, response], arrivals, socket);
  }

  private begin(exchange: Exchange, arrivals: Arrivals, socket: Socket): void {
    const [request, response] = exchange;
    arrivals.current = exchange;
    if (!this.respond(request, response)) {
      watchEnd(response, this.timeout);
      for (const handle of this.handlers) handle(request, response);
    }
    // After the listeners that count what the connection has sent: the next response may follow at once.
    response.on('close', () => this.advance(arrivals, socket));
  }

  private advance(arrivals: Arrivals, socket: Socket): void {
    // After the last response of a connection Node sends no other. What waits then waits for its end, and what comes later
    // waits behind it: a response to that would be out of order, which ends the process.
    if (socket.writableEnded || socket.destroyed) {
      socket.resume();
      return;
    }
    const next = arrivals.waiting.shift();
    if (next) {
      // Node resumes reading after each response.
      socket.pause();
      this.begin(next, arrivals, socket);
      return;
    }
    arrivals.current = undefined;
    socket.resume();
    if (arrivals.fault) this.report(arrivals.fault, socket);
  }

  /** Requests before the error get their responses first. Behind the last response of a connection, nothing is sent. */
  private refuse(error: ClientError, socket: Socket): void {
    const arrivals = this.connections.get(socket);
    if (!arrivals?.latest || !isOfHttp(error.code)) {
      this.report(error, socket);
      return;
    }
    const { current, latest } = arrivals;
    // Otherwise it is in the body of the latest request.
    const isBehind = latest.complete;
    const isOfCurrent = !isBehind && current?.[0] === latest;
    if (isBehind ? !current : isOfCurrent && !current[1].headersSent) this.report(error, socket);
    // That request has its response, or a part of it. A client that ends its direction has left.
    else if (!current || isOfCurrent || error.code === 'HPE_INVALID_EOF_STATE') socket.destroySoon();
    else {
      if (!isBehind) arrivals.waiting.pop();
      arrivals.fault = error;
    }
  }

  private report(error: ClientError, socket: Socket): void {
    for (const handle of this.errorHandlers) handle(error, socket);
  }

  private arrivalsOf(socket: Socket): Arrivals {
    let arrivals = this.connections.get(socket);
    if (!arrivals) {
      arrivals = { current: undefined, waiting: [], latest: undefined, fault: undefined };
      this.connections.set(socket, arrivals);
    }
    return arrivals;
  }
}
