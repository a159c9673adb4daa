import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ServerSettings } from '../config/server.settings.js';
import { respondToClientError } from '../distribution/server/client.error.js';
import { refuseConnections } from '../distribution/server/drain.service.js';
import { serverLimits } from '../distribution/server/server.options.js';

/**
 * Lets the other workers of this machine reach this one: workers share a socket, so the main address leads to any of
 * them. It listens before the app exists, because the app needs its address; until then it responds with 503.
 */
export class SiblingServer {
  readonly server: Server;
  private main: Server | undefined;

  constructor(settings: ServerSettings) {
    this.server = createServer(serverLimits(settings), (request, response) => {
      if (this.main) this.main.emit('request', request, response);
      else response.writeHead(503, { connection: 'close' }).end();
    });
    this.server.maxConnections = settings.maxConnections;
    this.server.on('clientError', (error: Error, socket: Socket) => {
      if (this.main) this.main.emit('clientError', error, socket);
      else respondToClientError(error, socket);
    });
    this.server.on('checkExpectation', (request, response) => this.server.emit('request', request, response));
  }

  /** Forwards requests to the main server from now on. */
  forwardTo(main: Server): void {
    this.main = main;
  }

  /** Accepts no more connections; open ones get their responses. */
  close(): void {
    refuseConnections(this.server);
  }
}
