import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Blob } from '../content/bytes.js';
import type { Scope } from '../scope.js';

/** A registry of one manifest that answers, or takes requests and says nothing, as one behind a dead link does. */
export class UnreliableOrigin {
  isSilent = false;
  /** Requests that it was asked to answer, whether it did or not. */
  requests = 0;

  private constructor(readonly url: string) {}

  static async start(scope: Scope, manifest: Blob, mediaType: string): Promise<UnreliableOrigin> {
    const server = createServer().listen(0, '127.0.0.1');
    await scope.defer(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server, 'listening');
    const origin = new UnreliableOrigin(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      origin.requests += 1;
      if (origin.isSilent) return;
      const head = { 'content-type': mediaType, 'content-length': manifest.bytes.length };
      response.writeHead(200, { ...head, 'docker-content-digest': manifest.digest });
      response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
    });
    return origin;
  }
}
