import { manifestMediaTypes } from '../../oci/media-type.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { ReferrersPage, StreamedList, TagPage } from '../../registry/list-page.js';
import { commonHeaders, type HttpResponse } from './http.response.js';

/** A tag list (end-8). @param path of the request as the client sent it, for the link to the next page */
export function tagsResponse(
  repository: RepositoryRef,
  page: TagPage,
  path: string,
  query: URLSearchParams,
): HttpResponse {
  return listResponse(repository, page.body, 'application/json', page, nextLink(path, query, page.next));
}

/** A list of repositories. */
export function catalogResponse(page: TagPage, path: string, query: URLSearchParams): HttpResponse {
  return listResponse(undefined, page.body, 'application/json', page, nextLink(path, query, page.next));
}

/** A list of referrers (end-12). */
export function referrersResponse(
  repository: RepositoryRef,
  page: ReferrersPage,
  path: string,
  query: URLSearchParams,
): HttpResponse {
  const response = listResponse(
    repository,
    page.body,
    manifestMediaTypes.ociIndex,
    page,
    nextLink(path, query, page.next),
  );
  const filters = page.filters === undefined ? {} : { 'oci-filters-applied': page.filters };
  return { ...response, headers: { ...response.headers, ...filters } };
}

function listResponse(
  repository: RepositoryRef | undefined,
  body: Uint8Array | StreamedList,
  mediaType: string,
  { cache, age }: Pick<TagPage, 'cache' | 'age'>,
  link: Record<string, string>,
): HttpResponse {
  const isWhole = body instanceof Uint8Array;
  return {
    status: 200,
    headers: {
      ...commonHeaders,
      'content-type': mediaType,
      ...(isWhole && { 'content-length': body.length }),
      ...(repository && { 'oci-namespace': repository.namespace.toString() }),
      'x-cache': cache,
      age,
      ...link,
    },
    body,
    ...(!isWhole && { close: () => closeOf(body) }),
  };
}

function closeOf(body: StreamedList): Promise<void> {
  body.close();
  return Promise.resolve();
}

/** A relative link (RFC 8288), which is right behind any proxy. It keeps the request's namespace. */
function nextLink(path: string, query: URLSearchParams, next: URLSearchParams | undefined): Record<string, string> {
  if (next === undefined) return {};
  const ns = query.get('ns');
  if (ns !== null) next.set('ns', ns);
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}
