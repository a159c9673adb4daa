import type { Clock } from './clock.js';

/** Milliseconds of time of day gained or lost against the clock that only goes forward, that count as a jump. */
const jump = 3_600_000;
/** Milliseconds after a jump in which no age is believed: what is in use is used again meanwhile. */
const caution = 86_400_000;

/** Watches the time of day for jumps: what seems old after one may not be. */
export class ClockJumps {
  private offset: number;
  private cautiousUntil = 0;

  /** @param onJump told of each. */
  constructor(
    private readonly clock: Clock,
    private readonly onJump: () => void,
  ) {
    this.offset = this.clock.now() - this.clock.monotonic();
  }

  /** Whether ages mean anything: not for a day after the time of day was set. To be asked from time to time. */
  areAgesTrusted(): boolean {
    const monotonic = this.clock.monotonic();
    const offset = this.clock.now() - monotonic;
    if (Math.abs(offset - this.offset) > jump) {
      this.cautiousUntil = monotonic + caution;
      this.onJump();
    }
    this.offset = offset;
    return monotonic >= this.cautiousUntil;
  }
}
