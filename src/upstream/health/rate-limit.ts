import type { IncomingHttpHeaders } from 'node:http';

/** Docker Hub's pull limit, from `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds. */
  readonly window: number;
}

/** Undefined when the response states no limit, as for accounts without one. */
export function parseRateLimit(headers: IncomingHttpHeaders): RateLimit | undefined {
  const limit = parse(headers['ratelimit-limit']);
  const remaining = parse(headers['ratelimit-remaining']);
  if (!limit || !remaining) return undefined;
  return { limit: limit.count, remaining: remaining.count, window: limit.window };
}

function parse(header: string | string[] | undefined): { count: number; window: number } | undefined {
  const [, count, window] = /^(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?/.exec(typeof header === 'string' ? header : '') ?? [];
  return count === undefined ? undefined : { count: Number(count), window: Number(window ?? 0) };
}
