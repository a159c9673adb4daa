/** Longest wait in seconds that is accepted. */
const longest = 86_400;

/** Seconds of a Retry-After header, given in seconds or as a date (RFC 9110 §10.2.3); undefined when malformed. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,10}$/.test(header)) return Math.min(Number(header), longest);
  if (!/^[A-Z][a-z]{2}, /.test(header)) return undefined;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, Math.ceil((date - now) / 1000)), longest);
}
