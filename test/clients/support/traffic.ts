/** One request that reached the upstream, with what the upstream made of it. */
export interface UpstreamRequest {
  readonly kind: 'ping' | 'manifest' | 'blob' | 'token' | 'other';
  readonly method: string;
  readonly url: string;
  /** The tag or digest asked for, or the scope of a token. */
  readonly reference: string;
  /** Absent until the upstream has answered. */
  status?: number;
  /** Docker-Content-Digest of the answer. */
  digest?: string;
}

/** Everything the upstream was asked since the last `forget`. */
export class Traffic {
  private entries: UpstreamRequest[] = [];

  get requests(): readonly UpstreamRequest[] {
    return this.entries;
  }

  record(method: string, url: string): UpstreamRequest {
    const request = { method, url, ...purpose(url) };
    this.entries.push(request);
    return request;
  }

  forget(): void {
    this.entries = [];
  }

  /** How many GETs of this kind were answered with content, by the digest of that content. */
  fetched(kind: 'manifest' | 'blob'): Record<string, number> {
    const content = this.entries.filter(
      (request) => request.kind === kind && request.method === 'GET' && [200, 206].includes(request.status ?? 0),
    );
    return tally(content.map((request) => request.digest ?? request.reference));
  }

  /** How many tokens were asked for, by scope. */
  tokens(): Record<string, number> {
    return tally(this.entries.filter(({ kind }) => kind === 'token').map(({ reference }) => reference));
  }
}

function purpose(url: string): Pick<UpstreamRequest, 'kind' | 'reference'> {
  const { pathname, searchParams } = new URL(url, 'http://upstream');
  if (pathname === '/token') return { kind: 'token', reference: searchParams.getAll('scope').join(' ') };
  if (pathname === '/v2/') return { kind: 'ping', reference: '' };
  const [, noun, reference] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
  if (reference === undefined) return { kind: 'other', reference: pathname };
  return { kind: noun === 'manifests' ? 'manifest' : 'blob', reference };
}

function tally(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
