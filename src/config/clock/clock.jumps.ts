import type { Clock } from './clock.js';

/** Difference in milliseconds between the wall clock and the monotonic clock that counts as a jump. */
const jumpThreshold = 3_600_000;
/** Milliseconds after a jump for which ages are not trusted: whatever is in use is used again in that time. */
const settlingTime = 86_400_000;

/** Detects jumps of the wall clock, after which stored timestamps say little about age. */
export class ClockJumps {
  private offset: number;
  private untrustedUntil = 0;

  /** @param onJump called for each jump. */
  constructor(
    private readonly clock: Clock,
    private readonly onJump: () => void,
  ) {
    this.offset = this.clock.now() - this.clock.monotonic();
  }

  /** False for a day after a jump of the wall clock. Detects a jump only when called, so call it regularly. */
  areAgesTrusted(): boolean {
    const monotonic = this.clock.monotonic();
    const offset = this.clock.now() - monotonic;
    if (Math.abs(offset - this.offset) > jumpThreshold) {
      this.untrustedUntil = monotonic + settlingTime;
      this.onJump();
    }
    this.offset = offset;
    return monotonic >= this.untrustedUntil;
  }
}
