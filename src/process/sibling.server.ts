import { createServer, type Server } from 'node:http';
import type { ServerSettings } from '../config/server.settings.js';
import { respondToClientError } from '../distribution/server/client.error.js';
import { serverLimits } from '../distribution/server/server.options.js';

/**
 * Where the other workers of this machine reach one of them: they share a socket, so that the main address leads to any.
 * It listens before there is an app, which has to know the address; until then it answers 503.
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
    this.server.on('clientError', respondToClientError);
    this.server.on('checkExpectation', (request, response) => this.server.emit('request', request, response));
  }

  /** Answers as the main server does from now on. */
  leadTo(main: Server): void {
    this.main = main;
  }

  /** Takes no more connections; those that there are get their answers. */
  close(): void {
    this.server.close();
    this.server.closeIdleConnections();
  }
}
