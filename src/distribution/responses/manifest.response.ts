import { entityTag, matchesEntityTag } from '../../oci/entity-tag.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { ManifestContent, ManifestHead } from '../../registry/manifest.js';
import { commonHeaders, type HttpResponse } from './http.response.js';

/** A manifest (end-3), with its stored media type; GET has a body, HEAD has none. */
export function manifestResponse(
  repository: RepositoryRef,
  manifest: ManifestHead | ManifestContent,
  ifNoneMatch: string | undefined,
): HttpResponse {
  const { digest, mediaType, size, cache, age, fallback } = manifest;
  const headers = {
    ...commonHeaders,
    'docker-content-digest': digest.toString(),
    'oci-namespace': repository.namespace.toString(),
    etag: entityTag(digest),
    'x-cache': cache,
    ...(age !== undefined && { age }),
    ...(fallback !== undefined && { 'x-fallback-host': fallback }),
  };
  const whole: HttpResponse = {
    status: 200,
    headers: { ...headers, 'content-type': mediaType, 'content-length': size },
    ...('body' in manifest && { body: manifest.body }),
    validity: manifest.validity,
  };
  return matchesEntityTag(ifNoneMatch, digest) ? { status: 304, headers, whole } : whole;
}
