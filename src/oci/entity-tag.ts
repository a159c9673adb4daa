import type { Digest } from './digest.js';

/** The strong entity tag of content is its digest (RFC 9110 §8.8.3). */
export function entityTag(digest: Digest): string {
  return `"${digest.toString()}"`;
}

/** Whether an If-None-Match header matches this content, by weak comparison (RFC 9110 §13.1.2). */
export function matchesEntityTag(header: string | undefined, digest: Digest): boolean {
  if (header === undefined) return false;
  const tags = header
    .slice(0, 8192)
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''));
  // Some clients send the digest without quotes.
  return tags.some((tag) => tag === '*' || tag.replace(/^"|"$/g, '') === digest.toString());
}
