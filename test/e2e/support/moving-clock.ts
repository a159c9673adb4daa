import { Clock } from '../../../src/config/clock/clock.js';

/** The time of day, moved on by as much as a test wants. */
export class MovingClock extends Clock {
  private offset = 0;

  /** @param seconds to let pass. */
  pass(seconds: number): void {
    this.offset += seconds * 1000;
  }

  now(): number {
    return Date.now() + this.offset;
  }

  monotonic(): number {
    return performance.now() + this.offset;
  }
}
