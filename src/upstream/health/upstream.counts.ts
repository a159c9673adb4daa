/** How requests to upstreams end, sign-in and redirects included. */
export const exchangeResults = [
  'ok',
  'redirected',
  'challenged',
  'refused',
  'rate-limited',
  'failed',
  'unreachable',
] as const;
export type ExchangeResult = (typeof exchangeResults)[number];

/** What has been asked of one namespace's upstreams since the start. Whoever causes it adds to it. */
export class UpstreamCounts {
  readonly requests = Object.fromEntries(exchangeResults.map((result) => [result, 0])) as Record<
    ExchangeResult,
    number
  >;
  /** Bytes of manifests, blobs and lists received; those of tokens and of refusals are left out. */
  received = 0;
}

export function resultOf(status: number): ExchangeResult {
  if (status < 300) return 'ok';
  if (status < 400) return 'redirected';
  if (status === 401) return 'challenged';
  if (status === 429) return 'rate-limited';
  return status < 500 && status !== 408 ? 'refused' : 'failed';
}
