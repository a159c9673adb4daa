import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds of work between two rests, and of a rest when the process has little to do, or much else. */
const work = 20;
const shortRest = 20;
const longRest = 380;
/** Instead of the long one, for work that others wait for. */
const urgentRest = 180;
/** Part of the rest that others use, from which on the process counts as busy. */
const busy = 0.25;

/**
 * Lets a long work in the background rest often: it has half of the time of an idle process, and a twentieth of a busy
 * one's; a tenth when it is urgent.
 */
export class Pacer {
  private since = performance.now();
  private rest = shortRest;

  constructor(
    private readonly signal: AbortSignal,
    private readonly isUrgent = false,
  ) {}

  /** To be awaited after each small step. @throws the signal's reason */
  async step(): Promise<void> {
    this.signal.throwIfAborted();
    if (performance.now() - this.since < work) return;
    const before = performance.eventLoopUtilization();
    await sleep(this.rest, undefined, { signal: this.signal });
    // Nothing of ours ran meanwhile, so all of it was others' work.
    const isBusy = performance.eventLoopUtilization(before).utilization > busy;
    this.rest = isBusy ? (this.isUrgent ? urgentRest : longRest) : shortRest;
    this.since = performance.now();
  }
}
