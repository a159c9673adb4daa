/** Results of upstream requests, including sign-in and redirects. */
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

/** Requests to the upstreams of one namespace since the start. The code that sends or receives increments them. */
export class UpstreamCounts {
  readonly requests = Object.fromEntries(exchangeResults.map((result) => [result, 0])) as Record<
    ExchangeResult,
    number
  >;
  /** Bytes of manifests, blobs and lists received, without tokens and error bodies. */
  received = 0;
}

export function resultOf(status: number): ExchangeResult {
  if (status < 300) return 'ok';
  if (status < 400) return 'redirected';
  if (status === 401) return 'challenged';
  if (status === 429) return 'rate-limited';
  return status < 500 && status !== 408 ? 'refused' : 'failed';
}
