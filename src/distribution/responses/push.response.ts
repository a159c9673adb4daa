import type { Digest } from '../../oci/digest.js';
import type { PutResult, RangeRefused, UploadPlace } from '../../registry/push.js';
import type { RepositoryUrl } from '../requests/repository.url.js';
import { errorResponse } from './error.response.js';
import { commonHeaders, type HttpResponse } from './http.response.js';

/** An upload session that goes on (end-4, end-5). */
export function uploadResponse(url: RepositoryUrl, place: UploadPlace): HttpResponse {
  const { id, minChunk } = place;
  return {
    status: 202,
    headers: {
      ...commonHeaders,
      'content-length': 0,
      location: url.upload(place),
      range: rangeOf(place),
      'docker-upload-uuid': id,
      ...(minChunk !== undefined && { 'oci-chunk-min-length': minChunk }),
    },
  };
}

/** Where a session stands (end-13). */
export function statusResponse(url: RepositoryUrl, place: UploadPlace): HttpResponse {
  const { id } = place;
  return {
    status: 204,
    headers: { ...commonHeaders, location: url.upload(place), range: rangeOf(place), 'docker-upload-uuid': id },
  };
}

/** A chunk that is out of order. A session without a byte has no range to show. */
export function rangeRefusedResponse(url: RepositoryUrl, error: RangeRefused): HttpResponse {
  const { place } = error;
  const response = errorResponse(error);
  const range = place.size === 0 ? {} : { range: rangeOf(place) };
  return { ...response, headers: { ...response.headers, location: url.upload(place), ...range } };
}

/** A blob that is there now (end-4b, end-6, end-11). */
export function blobCreatedResponse(url: RepositoryUrl, digest: Digest): HttpResponse {
  return createdResponse(url.blob(digest), digest);
}

/** A manifest that is there now (end-7). */
export function manifestCreatedResponse(url: RepositoryUrl, { digest, subject, tags }: PutResult): HttpResponse {
  const { headers, ...response } = createdResponse(url.manifest(digest), digest);
  return {
    ...response,
    headers: {
      ...headers,
      ...(subject && { 'oci-subject': subject.toString() }),
      ...(tags.length > 0 && { 'oci-tag': tags.map(String).join(', ') }),
    },
  };
}

/** Something that is no longer there (end-9, end-10). */
export const deletedResponse: HttpResponse = { status: 202, headers: { ...commonHeaders, 'content-length': 0 } };

/** A session that was cancelled (end-14). */
export const cancelledResponse: HttpResponse = { status: 204, headers: commonHeaders };

function createdResponse(location: string, digest: Digest): HttpResponse {
  return {
    status: 201,
    headers: {
      ...commonHeaders,
      'content-length': 0,
      location,
      'docker-content-digest': digest.toString(),
    },
  };
}

/** Docker's own client takes the end for the size of its layer, and fails on `0--1`. */
function rangeOf({ size }: UploadPlace): string {
  return `0-${Math.max(size - 1, 0)}`;
}
