import { respondWithBytes } from '../byte-response.js';
import type { HttpResponse } from './response.js';
import type { Behaviour } from './behaviour.js';
import type { RecordedRequest, RequestLog } from './request-log.js';
import type { Route } from './route.js';

interface SignedUrl {
  readonly route: Route;
  readonly content: Buffer;
  readonly mediaType: string;
  readonly signedAt: number;
  uses: number;
}

/** The second origin: object storage that knows nothing of registries and serves whoever holds a signed URL. */
export class Cdn {
  readonly #signed = new Map<string, SignedUrl>();
  #count = 0;

  constructor(
    private readonly behaviour: Behaviour,
    private readonly log: RequestLog,
    private readonly origin: () => string,
  ) {}

  /** How many requests brought an Authorization header to this origin: zero, or the client leaks. */
  get authorizations(): number {
    return this.log.select({ kind: 'cdn' }).filter(({ headers }) => headers.authorization !== undefined).length;
  }

  sign({ repository = '', reference = '' }: Route, content: Buffer, mediaType: string): string {
    this.#count += 1;
    const signature = `planted-signature-${this.#count}`;
    const route = { kind: 'cdn', repository, reference } as const;
    this.#signed.set(signature, { route, content, mediaType, signedAt: Date.now(), uses: 0 });
    return `${this.origin()}/objects/${this.#count}?X-Amz-Signature=${signature}`;
  }

  expireAll(): void {
    this.#signed.clear();
  }

  /** What a request there is about, for the record. */
  route(url: URL): Route {
    return this.#find(url)?.route ?? { kind: 'cdn' };
  }

  respond(request: RecordedRequest): HttpResponse {
    const { once, lifetime, refuseAuthorization, getOnly } = this.behaviour.cdn;
    const object = this.#find(new URL(request.url, 'http://cdn'));
    if (request.headers.authorization !== undefined && refuseAuthorization) {
      return xml(400, 'InvalidArgument', 'Only one auth mechanism allowed');
    }
    const expired = object && lifetime !== undefined && Date.now() > object.signedAt + lifetime * 1000;
    if (!object || expired) return xml(403, 'AccessDenied', 'Request has expired');
    if (getOnly && request.method !== 'GET') return xml(403, 'SignatureDoesNotMatch', 'signed for GET');
    if (once && object.uses > 0) return xml(403, 'AccessDenied', 'Request has expired');
    object.uses += 1;
    const etag = this.behaviour.omitEtag ? undefined : `"object-${object.content.length}"`;
    const { status, headers, body } = respondWithBytes(object.content, etag, request.headers, this.behaviour.ranges);
    return { status, headers: { ...headers, 'content-type': object.mediaType }, body };
  }

  #find(url: URL): SignedUrl | undefined {
    return this.#signed.get(url.searchParams.get('X-Amz-Signature') ?? '');
  }
}

function xml(status: number, code: string, message: string): HttpResponse {
  const body = Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  return { status, headers: { 'content-type': 'application/xml' }, body };
}
