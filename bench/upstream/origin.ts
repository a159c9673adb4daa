import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blob } from '../content/bytes.js';
import type { Scope } from '../scope.js';
import { paced } from './paced.js';

export interface Delivery {
  /** Milliseconds between the headers and the body. */
  readonly delay: number;
  readonly bytesPerSecond: number;
}

/** A registry of blobs in memory that counts what it is asked for and can be slow. */
export class Origin {
  readonly #blobs = new Map<string, { bytes: Buffer; delivery: Delivery | undefined }>();
  readonly #downloads = new Map<string, number>();
  readonly #firstBytes = new Map<string, number>();

  private constructor(readonly url: string) {}

  static async start(scope: Scope): Promise<Origin> {
    const server = createServer().listen(0, '127.0.0.1');
    await scope.defer(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server, 'listening');
    const origin = new Origin(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => void origin.#answer(request, response));
    return origin;
  }

  publish(blob: Blob, delivery?: Delivery): void {
    this.#blobs.set(blob.digest, { bytes: blob.bytes, delivery });
  }

  /** Forgets the bytes of a blob that nobody pulls any more. */
  retract(digest: string): void {
    this.#blobs.delete(digest);
  }

  /** How many GETs the blob has had. */
  downloads(digest: string): number {
    return this.#downloads.get(digest) ?? 0;
  }

  /** When the first body byte of the blob was first sent, on the clock of `performance.now()`. */
  firstByteAt(digest: string): number | undefined {
    return this.#firstBytes.get(digest);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0] ?? '';
    const digest = /^\/v2\/.+\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    const found = digest === undefined ? undefined : this.#blobs.get(digest);
    if (digest === undefined || found === undefined) {
      response.writeHead(path === '/v2/' ? 200 : 404, { 'docker-distribution-api-version': 'registry/2.0' }).end();
      return;
    }
    if (request.method === 'GET') this.#downloads.set(digest, this.downloads(digest) + 1);
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': found.bytes.length,
      'docker-content-digest': digest,
    });
    if (request.method === 'HEAD') response.end();
    else await this.#send(digest, found.bytes, found.delivery, response);
  }

  async #send(digest: string, bytes: Buffer, delivery: Delivery | undefined, response: ServerResponse): Promise<void> {
    if (delivery === undefined) {
      response.end(bytes);
      return;
    }
    response.flushHeaders();
    await sleep(delivery.delay);
    if (!this.#firstBytes.has(digest)) this.#firstBytes.set(digest, performance.now());
    // A client that leaves ends the pipeline; the count of downloads already tells what there is to tell.
    await pipeline(paced(bytes, delivery.bytesPerSecond), response).catch(() => response.destroy());
  }
}
