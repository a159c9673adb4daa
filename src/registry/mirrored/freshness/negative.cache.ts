import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../../config/clock/clock.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';

/** Milliseconds that a refusal is remembered. Short: somebody may push, or grant, at any moment. */
const refusalTime = 10_000;
/** Signature tags are asked for with every pull by some clients, and nearly never exist. */
const signatureTime = 30_000;
const maxRefusals = 10_000;

/**
 * Remembers for a short time that an upstream definitely refused something, so that a crowd asking for what is not
 * there costs one request (P8). Only 401, 403 and 404 are remembered: trouble is not an answer.
 */
@Injectable()
export class NegativeCache {
  private readonly refusals = new LRUCache<string, { error: UpstreamError; until: number }>({ max: maxRefusals });

  constructor(@Inject(Clock) private readonly clock: Clock) {}

  /** @throws the remembered refusal, or what `ask` throws. */
  async guard<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const refusal = this.refusals.get(key);
    if (refusal && this.clock.monotonic() < refusal.until) throw refusal.error;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof UpstreamError && error.isDefinitive && error.kind !== 'refused') {
        const time = error.kind === 'missing' && isSignatureTag(key) ? signatureTime : refusalTime;
        this.refusals.set(key, { error, until: this.clock.monotonic() + time });
      }
      throw error;
    }
  }
}

/** `sha256-<hex>`, with or without `.sig` and its like: the tags of signatures and of referrers (end-12, fallback). */
function isSignatureTag(key: string): boolean {
  return /:sha(?:256|512)-[0-9a-f]{64,128}(?:\.[a-z]+)?$/.test(key);
}
