import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds of work between two pauses, and of a pause in an idle and in a busy process. */
const work = 20;
const shortPause = 20;
const longPause = 380;
/** Instead of the long pause, for urgent work. */
const urgentPause = 180;
/** Event loop utilization during a pause above which the process counts as busy. */
const busy = 0.25;

/**
 * Throttles long background work: it uses half of the time of an idle process and a twentieth of a busy one's, or a
 * tenth if it is urgent.
 */
export class Pacer {
  private since = performance.now();
  private pause = shortPause;

  constructor(
    private readonly signal: AbortSignal,
    private readonly isUrgent = false,
  ) {}

  /** Await it after each small step. @throws the signal's reason */
  async step(): Promise<void> {
    this.signal.throwIfAborted();
    if (performance.now() - this.since < work) return;
    const before = performance.eventLoopUtilization();
    await sleep(this.pause, undefined, { signal: this.signal });
    // The background work paused meanwhile, so all of the utilization is other work.
    const isBusy = performance.eventLoopUtilization(before).utilization > busy;
    this.pause = isBusy ? (this.isUrgent ? urgentPause : longPause) : shortPause;
    this.since = performance.now();
  }
}
