import { respondWithBytes } from '../byte-response.js';
import { type HttpResponse, errorResponse, jsonResponse } from './response.js';
import type { Behaviour } from './behaviour.js';
import type { Cdn } from './cdn.js';
import type { RegistryContent } from './content.js';
import type { RecordedRequest } from './request-log.js';
import { tagsResponse } from './tag-page.js';
import { fixtureMediaTypes } from '../../fixtures/media-types.js';

/** The pull half of the distribution specification, for callers whom access control let through. */
export class Endpoints {
  constructor(
    private readonly behaviour: Behaviour,
    private readonly content: RegistryContent,
    private readonly cdn: Cdn,
    private readonly origin: () => string,
  ) {}

  respond(request: RecordedRequest): HttpResponse {
    const { method, kind, repository = '', reference = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return errorResponse(405, 'UNSUPPORTED');
    if (kind === 'base') return jsonResponse(200, {});
    if (kind !== 'manifest' && kind !== 'blob' && kind !== 'tags' && kind !== 'referrers') {
      return { status: 404, headers: { 'content-type': 'text/plain' }, body: Buffer.from('404 page not found\n') };
    }
    const refused = method === 'HEAD' && this.#headStatus(kind);
    if (refused) return errorResponse(refused, 'UNSUPPORTED', 'HEAD is not supported');
    if (!this.content.has(repository))
      return errorResponse(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    if (kind === 'manifest') return this.#manifest(request, repository, reference);
    if (kind === 'blob') return this.#blob(request, repository, reference);
    return kind === 'tags' ? this.#tags(request, repository) : this.#referrers(request, repository, reference);
  }

  #headStatus(kind: RecordedRequest['kind']): number | undefined {
    const { manifests, blobs } = this.behaviour.head;
    return kind === 'manifest' ? manifests : kind === 'blob' ? blobs : undefined;
  }

  #manifest(request: RecordedRequest, repository: string, reference: string): HttpResponse {
    const limits = this.#countAgainstLimit(request);
    if (limits.exhausted) return errorResponse(429, 'TOOMANYREQUESTS', 'pull rate limit reached', limits.headers);
    const manifest = this.content.findManifest(repository, reference);
    if (!manifest) return errorResponse(404, 'MANIFEST_UNKNOWN', 'manifest unknown', limits.headers);
    const { digest, mediaType, body } = manifest;
    if (!this.#accepts(request, mediaType)) {
      return errorResponse(404, 'MANIFEST_UNKNOWN', `${mediaType} found, but Accept header does not support it`);
    }
    if (this.behaviour.redirectManifests)
      return this.#redirect(this.behaviour.redirectManifests, request, body, mediaType);
    return this.#serve(request, digest, body, { 'content-type': mediaType, ...limits.headers });
  }

  #blob(request: RecordedRequest, repository: string, digest: string): HttpResponse {
    const body = this.content.findBlob(repository, digest);
    if (!body) return errorResponse(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    const mediaType = 'application/octet-stream';
    if (this.behaviour.redirectBlobs) return this.#redirect(this.behaviour.redirectBlobs, request, body, mediaType);
    return this.#serve(request, digest, body, { 'content-type': mediaType });
  }

  #serve(request: RecordedRequest, digest: string, content: Buffer, extra: Record<string, string>): HttpResponse {
    const { omitEtag, omitDigest, ranges } = this.behaviour;
    // Manifests have no ranges at any registry, and HEAD has none anywhere (RFC 9110 §14.2).
    const { range, ...others } = request.headers;
    const conditions = { ...others, range: request.method === 'GET' ? range : undefined };
    const etag = omitEtag ? undefined : `"${digest}"`;
    const { status, headers, body } = respondWithBytes(content, etag, conditions, ranges && request.kind === 'blob');
    return { status, headers: { ...headers, ...extra, ...(!omitDigest && { 'docker-content-digest': digest }) }, body };
  }

  #redirect(status: number, request: RecordedRequest, content: Buffer, mediaType: string): HttpResponse {
    const location = this.cdn.sign(request, content, mediaType);
    return { status, headers: { location }, body: Buffer.alloc(0) };
  }

  #tags(request: RecordedRequest, repository: string): HttpResponse {
    const url = new URL(request.url, this.origin());
    return tagsResponse(repository, this.content.listTags(repository), url, this.behaviour.tags);
  }

  #referrers(request: RecordedRequest, repository: string, subject: string): HttpResponse {
    if (this.behaviour.referrers === 'missing') {
      return { status: 404, headers: { 'content-type': 'text/plain' }, body: Buffer.from('404 page not found\n') };
    }
    const wanted = new URL(request.url, this.origin()).searchParams.get('artifactType');
    const all = this.content.listReferrers(repository, subject);
    const manifests = all.filter(({ artifactType }) => wanted === null || artifactType === wanted);
    const document = { schemaVersion: 2, mediaType: fixtureMediaTypes.ociIndex, manifests };
    const filters: Record<string, string> = wanted === null ? {} : { 'oci-filters-applied': 'artifactType' };
    return jsonResponse(200, document, { 'content-type': fixtureMediaTypes.ociIndex, ...filters });
  }

  #accepts(request: RecordedRequest, mediaType: string): boolean {
    if (!this.behaviour.strictAccept || mediaType === fixtureMediaTypes.dockerSchema1) return true;
    const accepted = (request.headers.accept ?? '').split(',').map((entry) => entry.split(';')[0]?.trim());
    return accepted.includes(mediaType);
  }

  /** As Docker Hub counts: GET of a manifest, not HEAD. */
  #countAgainstLimit({ method }: RecordedRequest): { headers: Record<string, string>; exhausted: boolean } {
    const { rateLimit } = this.behaviour;
    if (!rateLimit) return { headers: {}, exhausted: false };
    const exhausted = method === 'GET' && rateLimit.remaining <= 0;
    if (method === 'GET') rateLimit.remaining = Math.max(0, rateLimit.remaining - 1);
    const written = (amount: number): string => `${amount};w=${rateLimit.window}`;
    const headers = {
      'ratelimit-limit': written(rateLimit.limit),
      'ratelimit-remaining': written(rateLimit.remaining),
      'docker-ratelimit-source': '192.0.2.1',
    };
    return { headers, exhausted };
  }
}
