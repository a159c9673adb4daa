import { parseRange, type ByteRange } from '../../oci/byte-range.js';
import type { Digest } from '../../oci/digest.js';
import { entityTag, matchesEntityTag } from '../../oci/entity-tag.js';
import { OciError } from '../../oci/error.js';
import { blobMediaType } from '../../oci/media-type.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { BlobHead, OpenBlob, SizedHead } from '../../registry/blob.js';
import { commonHeaders, type HttpResponse } from './http.response.js';
import { errorResponse } from './error.response.js';

/** The conditions a request sets (RFC 9110 §13, §14). */
export interface Conditions {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** HEAD of a blob (end-2). */
export function blobHeadResponse(
  repository: RepositoryRef,
  blob: SizedHead,
  { ifNoneMatch }: Conditions,
): HttpResponse {
  const headers = headersOf(repository, blob);
  if (matchesEntityTag(ifNoneMatch, blob.digest)) return { status: 304, headers };
  return { status: 200, headers: { ...headers, ...typeOf, ...lengthOf(blob.size) } };
}

/** GET of a blob (end-2), or of one range of it. */
export function blobResponse(repository: RepositoryRef, blob: OpenBlob, conditions: Conditions): HttpResponse {
  const headers = headersOf(repository, blob);
  const close = () => blob.close();
  if (matchesEntityTag(conditions.ifNoneMatch, blob.digest)) return { status: 304, headers, close };
  // Ranges too: clients repeat their request, with its range, at the new location.
  if (blob.location !== undefined) return { ...redirection(headers, blob.location), close };
  const body = (part: ByteRange) => bodyOf(blob, part);
  const { size } = blob;
  if (size === undefined)
    return { status: 200, headers: { ...headers, ...typeOf }, body: body({ offset: 0, length: Infinity }), close };
  const part = blob.part ?? parseRange(rangeOf(blob.digest, conditions), size);
  if (part === 'whole') {
    return {
      status: 200,
      headers: { ...headers, ...typeOf, ...lengthOf(size) },
      body: body({ offset: 0, length: size }),
      validity: blob.validity,
      close,
    };
  }
  if (part === 'unsatisfiable') return { ...rangeRefusal(size), close };
  const contentRange = `bytes ${part.offset}-${part.offset + part.length - 1}/${size}`;
  return {
    status: 206,
    headers: { ...headers, ...typeOf, ...lengthOf(part.length), 'content-range': contentRange },
    body: body(part),
    close,
  };
}

/** The Range header, if it applies: If-Range with another tag requests the whole (RFC 9110 §13.1.5). */
export function rangeOf(digest: Digest, { range, ifRange, ifNoneMatch }: Conditions): string | undefined {
  if (matchesEntityTag(ifNoneMatch, digest)) return undefined;
  return ifRange === undefined || ifRange === entityTag(digest) ? range : undefined;
}

function bodyOf(blob: OpenBlob, part: ByteRange): NonNullable<HttpResponse['body']> {
  if (blob.bytes) return blob.bytes.subarray(part.offset, part.offset + part.length);
  return { copy: (sink, signal) => blob.copy(part, sink, signal) };
}

const typeOf = { 'content-type': blobMediaType } as const;

function lengthOf(size: number | undefined): Record<string, number> {
  return size === undefined ? {} : { 'content-length': size };
}

function headersOf(repository: RepositoryRef, { digest, cache }: BlobHead): Record<string, string> {
  return {
    ...commonHeaders,
    'docker-content-digest': digest.toString(),
    'oci-namespace': repository.namespace.toString(),
    'accept-ranges': 'bytes',
    etag: entityTag(digest),
    // The digest is in the URL, so the content never changes.
    'cache-control': 'max-age=31536000, immutable',
    'x-cache': cache,
  };
}

/** The URL expires, so nobody may cache the redirect. */
function redirection(headers: Readonly<Record<string, string>>, location: string): HttpResponse {
  return { status: 307, headers: { ...headers, 'cache-control': 'no-store', location, 'content-length': 0 } };
}

function rangeRefusal(size: number): HttpResponse {
  const response = errorResponse(new OciError('RANGE_INVALID'));
  return { ...response, headers: { ...response.headers, 'content-range': `bytes */${size}` } };
}
