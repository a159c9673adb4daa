export type RequestKind = 'base' | 'token' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'cdn' | 'other';

/** What a request is about, in the words of the distribution specification. */
export interface Route {
  readonly kind: RequestKind;
  readonly repository?: string;
  /** A tag, or a digest. */
  readonly reference?: string;
}

const kinds = { manifests: 'manifest', blobs: 'blob', referrers: 'referrers' } as const;

/** Names may hold components called `blobs` or `manifests`: the last one counts. */
export function parseRoute(pathname: string): Route {
  if (/^\/v2\/?$/.test(pathname)) return { kind: 'base' };
  const tags = /^\/v2\/(?<repository>.+)\/tags\/list$/.exec(pathname)?.groups;
  if (tags?.repository) return { kind: 'tags', repository: tags.repository };
  const match = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(pathname);
  const [, repository, noun, reference] = match ?? [];
  if (repository === undefined || noun === undefined || reference === undefined) return { kind: 'other' };
  return { kind: kinds[noun as keyof typeof kinds], repository, reference: decode(reference) };
}

/** A malformed escape is not a reason to lose the request from the record. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
