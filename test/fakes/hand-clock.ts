import { Clock } from '../../src/config/clock/clock.js';

/** A clock that stands still until a test moves it. */
export class HandClock extends Clock {
  private wall = Date.UTC(2026, 0, 1);
  private steady = 1_000_000;

  /** @param seconds that pass. */
  pass(seconds: number): void {
    this.wall += seconds * 1000;
    this.steady += seconds * 1000;
  }

  /** Sets the time of day by so many seconds, back or forward, while no time passes. */
  jump(seconds: number): void {
    this.wall += seconds * 1000;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.steady;
  }
}
