/** The headers of a request that a cached response may depend on. */
export interface PlainHeaders {
  readonly host: string;
  readonly authorization: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Whether it belongs to a trace of its client. */
  readonly isTraced: boolean;
}

/** Headers of requests that the framework reads: those for parts, those with bodies, and those of replicas. */
const special: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'content-length',
  'transfer-encoding',
  'expect',
  'oci-registry-follower',
]);
const lengths: ReadonlySet<number> = new Set([...special].map((name) => name.length));

/**
 * Reads the headers as they came, so that one that is there twice is seen.
 * @param rawHeaders names and values in turn
 * @returns undefined for a request that has no Host, a header twice that has to be there once, or a special one
 */
export function readPlainHeaders(rawHeaders: readonly string[]): PlainHeaders | undefined {
  let host: string | undefined;
  let authorization: string | undefined;
  let ifNoneMatch: string | undefined;
  let isTraced = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const { length } = name;
    if (lengths.has(length) && special.has(name.toLowerCase())) return undefined;
    if (length === 4) {
      if (name.toLowerCase() !== 'host') continue;
      if (host !== undefined) return undefined;
      host = value;
    } else if (length === 13) {
      const lower = name.toLowerCase();
      if (lower === 'authorization') {
        if (authorization !== undefined) return undefined;
        authorization = value;
      } else if (lower === 'if-none-match') {
        if (ifNoneMatch !== undefined) return undefined;
        ifNoneMatch = value;
      }
    } else if (length === 11) isTraced ||= name.toLowerCase() === 'traceparent';
  }
  return host === undefined ? undefined : { host, authorization, ifNoneMatch, isTraced };
}
