import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Limits of an upload. */
export interface PartRules {
  /** Bytes of the smallest part that is not the last one. */
  readonly smallest: number;
  readonly maxParts: number;
  /** Whether all parts but the last must have the same size. */
  readonly areEqual: boolean;
}

interface StoredObject {
  readonly content: Buffer;
  readonly nonce: string;
}

interface Upload extends Omit<StoredObject, 'content'> {
  readonly path: string;
  readonly parts: Map<number, Buffer>;
}

const nonceHeader = 'x-amz-meta-oci-registry-write';

/** An S3 server in memory with the rules for parts of Cloudflare R2, or of Amazon S3. It checks no signatures. */
export class FakeR2 implements AsyncDisposable {
  readonly objects = new Map<string, StoredObject>();
  /** Sizes of the parts of every completed upload, in order. */
  readonly completed: number[][] = [];
  refusals = 0;
  private readonly uploads = new Map<string, Upload>();
  private readonly server = http.createServer((request, response) => void this.serve(request, response));

  private constructor(private readonly rules: PartRules) {}

  static async start(rules: PartRules): Promise<FakeR2> {
    const server = new FakeR2(rules);
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get unfinished(): number {
    return this.uploads.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const body = await buffer(request).catch(() => undefined);
    if (!body) return;
    const id = url.searchParams.get('uploadId');
    const upload = id === null ? undefined : this.uploads.get(id);
    if (id !== null && !upload) {
      refuse(response, 404, 'NoSuchUpload');
      return;
    }
    if (id !== null && upload) {
      this.serveUpload(request, response, url, body, id, upload);
      return;
    }
    if (request.method === 'POST' && url.searchParams.has('uploads')) {
      this.begin(request, response, url);
      return;
    }
    if (url.searchParams.has('list-type')) {
      send(response, 'ListBucketResult', '<IsTruncated>false</IsTruncated>');
      return;
    }
    this.serveObject(request, response, url.pathname, body);
  }

  private serveObject(
    { method, headers }: IncomingMessage,
    response: ServerResponse,
    path: string,
    body: Buffer,
  ): void {
    const known = this.objects.get(path);
    if (method === 'PUT') {
      if (known && headers['if-none-match'] === '*') {
        refuse(response, 412, 'PreconditionFailed');
        return;
      }
      this.objects.set(path, { content: body, nonce: String(headers[nonceHeader] ?? '') });
      return void response.setHeader('etag', etagOf(body)).end();
    }
    if (method === 'DELETE') {
      this.objects.delete(path);
      return void response.writeHead(204).end();
    }
    if (!known) {
      refuse(response, 404, 'NoSuchKey');
      return;
    }
    response.setHeader('content-length', known.content.length).setHeader(nonceHeader, known.nonce);
    response.end(method === 'HEAD' ? undefined : known.content);
  }

  private begin({ headers }: IncomingMessage, response: ServerResponse, { pathname: path }: URL): void {
    const id = `upload-${this.uploads.size}-${Date.now()}`;
    this.uploads.set(id, { path, nonce: String(headers[nonceHeader] ?? ''), parts: new Map() });
    send(response, 'InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`);
  }

  private serveUpload(
    { method }: IncomingMessage,
    response: ServerResponse,
    { searchParams }: URL,
    body: Buffer,
    id: string,
    upload: Upload,
  ): void {
    if (method === 'PUT') {
      upload.parts.set(Number(searchParams.get('partNumber')), body);
      return void response.setHeader('etag', etagOf(body)).end();
    }
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return void response.writeHead(204).end();
    }
    if (method === 'GET') {
      send(response, 'ListPartsResult', '<IsTruncated>false</IsTruncated>');
      return;
    }
    this.complete(response, id, upload);
  }

  private complete(response: ServerResponse, id: string, { path, nonce, parts }: Upload): void {
    const sorted = [...parts].sort(([one], [other]) => one - other).map(([, part]) => part);
    const sizes = sorted.map(({ length }) => length);
    const rest = sizes.slice(0, -1);
    const { smallest, maxParts, areEqual } = this.rules;
    const isUneven = areEqual && (new Set(rest).size > 1 || (sizes.at(-1) ?? 0) > (rest[0] ?? Infinity));
    if (isUneven || sizes.length > maxParts || rest.some((size) => size < smallest)) {
      this.refusals += 1;
      refuse(response, 400, isUneven ? 'InvalidPart' : 'EntityTooSmall');
      return;
    }
    this.objects.set(path, { content: Buffer.concat(sorted), nonce });
    this.completed.push(sizes);
    this.uploads.delete(id);
    send(response, 'CompleteMultipartUploadResult', '<ETag>"complete"</ETag>');
  }
}

function send(response: ServerResponse, name: string, content: string): void {
  response.setHeader('content-type', 'application/xml');
  response.end(`<?xml version="1.0"?><${name}>${content}</${name}>`);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.statusCode = status;
  send(response, 'Error', `<Code>${code}</Code><Message>planned</Message>`);
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}
