import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';

/** Maximum number of remembered tokens and URLs. */
const maxEntries = 10_000;
/** Milliseconds for which a URL counts as denied whatever the token. */
const denialTime = 600_000;

/** Tells a 403 that is about an expired token from one that is about the requested content. */
export class TokenUse {
  private readonly accepted = new LRUCache<string, true>(atMost(maxEntries));
  private readonly denied = new LRUCache<string, true>({ ...atMost(maxEntries), ttl: denialTime });

  /** The registry responded to the token with a status other than 401 and 403. */
  noteAccepted(token: string): void {
    this.accepted.set(token, true);
  }

  /** The registry refused a URL with 403 although the token was new. */
  noteDenied(url: URL): void {
    this.denied.set(url.href, true);
  }

  /** Whether a 403 for the URL may mean that the token has expired: it has worked before, and a new one may help. */
  mayHaveExpired(token: string, url: URL): boolean {
    return this.accepted.has(token) && !this.denied.has(url.href);
  }
}
