import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import { Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OrderedRequests } from './ordered.requests.js';

/** Milliseconds for one more request on a connection that an earlier response promised to keep open. */
const linger = 200;

/** Tracks responses in progress, so that the process can stop without cutting one. */
@Injectable()
export class DrainService {
  private readonly active = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private idle: (() => void) | undefined;
  private ordered: Pick<OrderedRequests, 'isFollowed'> | undefined;
  private isDraining = false;

  /** Responses being prepared or sent. */
  get count(): number {
    return this.active.size;
  }

  watch(fastify: FastifyInstance, ordered: Pick<OrderedRequests, 'isFollowed'>): void {
    this.ordered = ordered;
    fastify.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    fastify.addHook('onRequest', (_request, reply, done) => {
      const response = reply.raw;
      // An open connection would keep the process running: each gets the responses to what has arrived, or one more.
      if (this.isDraining) this.endConnectionWith(response);
      this.begin(response);
      response.once('close', () => this.end(response));
      done();
    });
  }

  /** Whether responses close their connections from now on. */
  get isAnnounced(): boolean {
    return this.isDraining;
  }

  /** A response is in progress, until `end`. */
  begin(response: ServerResponse): void {
    this.active.add(response);
  }

  end(response: ServerResponse): void {
    this.active.delete(response);
    if (this.active.size === 0) this.idle?.();
  }

  /** From now on responses close their connections, so that the next request goes to another process. */
  announce(): void {
    this.isDraining = true;
    for (const response of this.active) this.endConnectionWith(response);
  }

  /** What waits behind a response gets its own first. */
  private endConnectionWith(response: ServerResponse): void {
    if (!response.headersSent && this.ordered?.isFollowed(response) !== true) response.shouldKeepAlive = false;
  }

  /** Announces, and resolves when no response is in progress and no open connection brings another request. */
  async drain(): Promise<void> {
    this.announce();
    do {
      if (this.active.size > 0) await new Promise<void>((resolve) => (this.idle = resolve));
      // A response that began before the announcement has promised an open connection.
      if (this.sockets.size > 0) await sleep(linger);
    } while (this.active.size > 0);
  }

  /** Destroys every connection. Node's `closeAllConnections` leaves those that are still in the TLS handshake. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/**
 * Accepts no more connections. Node's `close` of an HTTP server would also close those whose response is ended, and not
 * sent yet; see `DrainService.drain` for idle ones.
 */
export function refuseConnections(server: Server): void {
  Server.prototype.close.call(server);
}
