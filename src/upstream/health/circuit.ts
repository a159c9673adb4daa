import type { Clock } from '../../config/clock/clock.js';

/** Milliseconds before the first probe, and the longest that doubling makes of it. */
const firstPause = 1_000;
const longestPause = 60_000;
/** Longest pause, in seconds, that a Retry-After may ask for: an hour, whatever it says. */
const longestRetryAfter = 3_600;

export type CircuitState = 'closed' | 'half-open' | 'open';

/**
 * Remembers that something is out of order and lets one probe through at a time, with exponential back-off and jitter.
 * Everybody else is answered from memory meanwhile (P8).
 */
export class Circuit {
  private failures = 0;
  private pauses = 0;
  /** On the monotonic clock; meaningful while open. */
  private until = 0;
  private isProbing = false;

  /** @param threshold consecutive failures that open it. */
  constructor(
    private readonly threshold: number,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  get isOpen(): boolean {
    return this.failures >= this.threshold;
  }

  /** `half-open`: the next request is a probe, or one is under way. */
  get state(): CircuitState {
    if (!this.isOpen) return 'closed';
    return this.isProbing || this.clock.monotonic() >= this.until ? 'half-open' : 'open';
  }

  /** Seconds until the next probe; what clients are told. At least 1. */
  get retryAfter(): number {
    return Math.max(1, Math.ceil((this.until - this.clock.monotonic()) / 1000));
  }

  /** Whether a request may go out now. */
  get isPassable(): boolean {
    return !this.isOpen || (!this.isProbing && this.clock.monotonic() >= this.until);
  }

  /**
   * Counts a request out, when it is passable; one of the others is called when the request has ended.
   * @returns whether the request is a probe, which they want to know.
   */
  enter(): boolean {
    this.isProbing ||= this.isOpen;
    return this.isOpen;
  }

  /**
   * While it is open only a probe's success counts: one that was under way when it opened tells nothing new.
   * @returns whether this closed the circuit.
   */
  succeed(isProbe: boolean): boolean {
    if (this.isOpen && !isProbe) return false;
    this.failures = 0;
    this.pauses = 0;
    this.until = 0;
    this.isProbing = false;
    return isProbe;
  }

  /** The request ended without telling anything. */
  leave(isProbe: boolean): void {
    if (isProbe) this.isProbing = false;
  }

  /**
   * @param retryAfter seconds that the upstream asked to be left alone; obeyed up to an hour, from the first time on.
   * @returns whether this opened the circuit.
   */
  fail(isProbe: boolean, retryAfter?: number): boolean {
    const wasOpen = this.isOpen;
    this.leave(isProbe);
    const now = this.clock.monotonic();
    const asked = now + Math.min(retryAfter ?? 0, longestRetryAfter) * 1000;
    // Who asks to be left alone is not asked twice more to see whether it meant it.
    this.failures = asked > now ? this.threshold : Math.min(this.failures + 1, this.threshold);
    if (!this.isOpen) return false;
    // Requests that were under way when it opened tell nothing new: only a probe makes the pause longer.
    if (isProbe || now >= this.until) {
      const pause = Math.min(firstPause * 2 ** this.pauses, longestPause);
      this.pauses = Math.min(this.pauses + 1, 16);
      this.until = now + pause * (0.8 + 0.4 * this.random());
    }
    this.until = Math.max(this.until, asked);
    return !wasOpen;
  }
}
