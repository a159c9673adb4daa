import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds in which a client may use a connection once more that an earlier answer said would stay open. */
const linger = 200;

/** Knows which answers are still being sent, so that the process can stop without breaking one (P11). */
@Injectable()
export class DrainService {
  private readonly active = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private idle: (() => void) | undefined;
  private isDraining = false;

  /** Answers being prepared or sent. */
  get count(): number {
    return this.active.size;
  }

  watch(fastify: FastifyInstance): void {
    fastify.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    fastify.addHook('onRequest', (_request, reply, done) => {
      const response = reply.raw;
      // Connections that stay open would keep the process: each gets one more answer.
      if (this.isDraining) response.shouldKeepAlive = false;
      this.active.add(response);
      response.once('close', () => {
        this.active.delete(response);
        if (this.active.size === 0) this.idle?.();
      });
      done();
    });
  }

  /** From now on connections close after their answer, which says so: clients go elsewhere with their next request. */
  announce(): void {
    this.isDraining = true;
    for (const response of this.active) response.shouldKeepAlive = false;
  }

  /** Announces, and resolves when nothing is being sent, and nothing more comes over what is still open. */
  async drain(): Promise<void> {
    this.announce();
    do {
      if (this.active.size > 0) await new Promise<void>((resolve) => (this.idle = resolve));
      // An answer that was begun before the announcement has promised an open connection.
      if (this.sockets.size > 0) await sleep(linger);
    } while (this.active.size > 0);
  }

  /** Ends every connection. Node's `closeAllConnections` leaves those that are still at the handshake of TLS. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
