import { setTimeout as delay } from 'node:timers/promises';
import { isRefused } from './s3-errors.js';
import { maxTries, type S3Tuning } from './s3.tuning.js';
import { Watchdog } from './deadline.js';

/**
 * Does something that may be done again until it works, is refused, or has failed too often; with a longer pause each
 * time. What the watchdog ended counts as failed.
 * @param attempt what to do, once; it ends when the watchdog says so.
 */
export async function withRetries<T>(
  { pause }: S3Tuning,
  patience: number,
  signal: AbortSignal | undefined,
  attempt: (watchdog: Watchdog) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    const watchdog = new Watchdog(patience, signal);
    try {
      return await attempt(watchdog);
    } catch (error) {
      signal?.throwIfAborted();
      // The client has only its own words for what we have ended.
      const failure: unknown = watchdog.signal.aborted ? watchdog.signal.reason : error;
      if (tries === maxTries || isRefused(failure)) throw failure;
    } finally {
      watchdog.stop();
    }
    await delay(pause * 2 ** (tries - 1), undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
  }
}
