import type { Clock } from '../../config/clock/clock.js';

/** Milliseconds before the first probe, and the maximum that back-off doubles it to. */
const firstPause = 1_000;
const longestPause = 60_000;
/** Longest Retry-After in seconds that is obeyed. */
const longestRetryAfter = 3_600;

export type CircuitState = 'closed' | 'half-open' | 'open';

/**
 * A circuit breaker: once open, it admits one probe at a time, with exponential back-off and jitter. All other requests
 * fail immediately without reaching the upstream (P8).
 */
export class Circuit {
  private failures = 0;
  private pauses = 0;
  /** On the monotonic clock; meaningful while open. */
  private until = 0;
  private isProbing = false;

  /** @param threshold consecutive failures that open the circuit. */
  constructor(
    private readonly threshold: number,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  get isOpen(): boolean {
    return this.failures >= this.threshold;
  }

  /** `half-open`: the next request will be a probe, or a probe is in flight. */
  get state(): CircuitState {
    if (!this.isOpen) return 'closed';
    return this.isProbing || this.clock.monotonic() >= this.until ? 'half-open' : 'open';
  }

  /** Seconds until the next probe, for Retry-After. At least 1, and at most an hour however the clock's fractions add up. */
  get retryAfter(): number {
    const seconds = Math.ceil((this.until - this.clock.monotonic()) / 1000);
    return Math.min(Math.max(1, seconds), longestRetryAfter);
  }

  /** Whether a request may be sent now. */
  get isPassable(): boolean {
    return !this.isOpen || (!this.isProbing && this.clock.monotonic() >= this.until);
  }

  /**
   * Call before sending a request, when `isPassable`; then call `succeed`, `fail` or `leave` when it has ended.
   * @returns whether the request is a probe, to be passed to those.
   */
  enter(): boolean {
    this.isProbing ||= this.isOpen;
    return this.isOpen;
  }

  /**
   * While open, only the success of a probe counts: other requests were sent before the circuit opened.
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

  /** The request ended without evidence of success or failure. */
  leave(isProbe: boolean): void {
    if (isProbe) this.isProbing = false;
  }

  /**
   * @param retryAfter seconds from the upstream's Retry-After; opens the circuit at once and is obeyed for up to an hour.
   * @param isCertain opens the circuit at once.
   * @returns whether this opened the circuit.
   */
  fail(isProbe: boolean, retryAfter?: number, isCertain = false): boolean {
    const wasOpen = this.isOpen;
    this.leave(isProbe);
    const now = this.clock.monotonic();
    const asked = now + Math.min(retryAfter ?? 0, longestRetryAfter) * 1000;
    // An explicit Retry-After needs no further evidence.
    this.failures = isCertain || asked > now ? this.threshold : Math.min(this.failures + 1, this.threshold);
    if (!this.isOpen) return false;
    // Only a probe extends the pause: other requests were sent before the circuit opened.
    if (isProbe || now >= this.until) {
      const pause = Math.min(firstPause * 2 ** this.pauses, longestPause);
      this.pauses = Math.min(this.pauses + 1, 16);
      this.until = now + pause * (0.8 + 0.4 * this.random());
    }
    this.until = Math.max(this.until, asked);
    return !wasOpen;
  }
}
