/** Requests that registries rate-limit separately: Docker Hub counts only GETs of manifests. */
export type RequestKind = 'manifest-head' | 'manifest-get' | 'blob-head' | 'blob' | 'tag-list' | 'referrers';

export function forEachKind<T>(make: () => T): Record<RequestKind, T> {
  return {
    'manifest-head': make(),
    'manifest-get': make(),
    'blob-head': make(),
    blob: make(),
    'tag-list': make(),
    referrers: make(),
  };
}
