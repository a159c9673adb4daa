import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../../config/clock/clock.js';
import { atMost } from '../../../config/memory/at-most.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';

/** Milliseconds that a refusal is cached. Short, because content may be pushed or access granted at any moment. */
const refusalTime = 10_000;
/** Some clients request signature tags with every pull, and they rarely exist. */
const signatureTime = 30_000;
const maxRefusals = 10_000;

/**
 * Caches definitive refusals of an upstream (401, 403 and 404) for a short time, so that many requests for absent
 * content cost one upstream request (P8). Outages are not cached.
 */
@Injectable()
export class NegativeCache {
  private readonly refusals = new LRUCache<string, { error: UpstreamError; until: number }>(atMost(maxRefusals));

  constructor(@Inject(Clock) private readonly clock: Clock) {}

  /** What was refused may be granted with other settings. */
  clear(): void {
    this.refusals.clear();
  }

  forget(key: string): void {
    this.refusals.delete(key);
  }

  /** The refusal that `guard` would throw, and the seconds that it lasts. Does not count as a use. */
  peek(key: string): { readonly error: UpstreamError; readonly seconds: number } | undefined {
    const refusal = this.refusals.peek(key);
    const left = refusal ? refusal.until - this.clock.monotonic() : 0;
    return refusal && left > 0 ? { error: refusal.error, seconds: Math.ceil(left / 1000) } : undefined;
  }

  /** @param lasts false asks always. @throws the cached refusal, or what `ask` throws. */
  async guard<T>(key: string, ask: () => Promise<T>, lasts = true): Promise<T> {
    const refusal = lasts ? this.refusals.get(key) : undefined;
    if (refusal && this.clock.monotonic() < refusal.until) throw refusal.error;
    try {
      return await ask();
    } catch (error) {
      if (lasts && error instanceof UpstreamError && error.isDefinitive && error.kind !== 'refused') {
        const time = error.kind === 'missing' && isSignatureTag(key) ? signatureTime : refusalTime;
        this.refusals.set(key, { error, until: this.clock.monotonic() + time });
      }
      throw error;
    }
  }
}

/** `sha256-<hex>`, with or without a suffix such as `.sig`: tags of signatures, and the referrers tag (end-12). */
function isSignatureTag(key: string): boolean {
  return /:sha(?:256|512)-[0-9a-f]{64,128}(?:\.[a-z]+)?$/.test(key);
}
