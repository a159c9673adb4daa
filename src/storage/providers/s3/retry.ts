import { setTimeout as delay } from 'node:timers/promises';
import { isRefused } from './s3-errors.js';
import { maxTries, type S3Tuning } from './s3.tuning.js';
import { Watchdog } from './watchdog.js';

/**
 * Retries an idempotent operation with exponential backoff until it succeeds, is refused, or has failed too often.
 * @param timeout milliseconds without progress after which an attempt has failed.
 * @param limit milliseconds after which no other attempt begins.
 * @param attempt one attempt; it ends when the watchdog's signal is aborted.
 */
export async function withRetries<T>(
  { retryDelay }: S3Tuning,
  timeout: number,
  signal: AbortSignal | undefined,
  attempt: (watchdog: Watchdog) => Promise<T>,
  limit = Infinity,
): Promise<T> {
  const began = performance.now();
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    const watchdog = new Watchdog(timeout, signal);
    try {
      return await attempt(watchdog);
    } catch (error) {
      signal?.throwIfAborted();
      // For aborted attempts the client throws an error without the reason.
      const failure: unknown = watchdog.signal.aborted ? watchdog.signal.reason : error;
      const isLast = tries === maxTries || performance.now() - began >= limit;
      if (isLast || isRefused(failure)) throw failure;
    } finally {
      watchdog.stop();
    }
    await delay(retryDelay * 2 ** (tries - 1), undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
  }
}
