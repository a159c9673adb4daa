/** Looks per allowed silence, the second of which sends a request of its own. */
const looks = 5;
const suspicion = 2;

interface Waiting {
  readonly since: number;
  readonly fail: (error: Error) => void;
}

/**
 * Notices that the bucket sends no response to anything, neither to waiting requests nor to a probe. Silence is counted
 * in looks, not in time, so that a process that was stopped itself does not blame the bucket.
 */
export class SilenceWatch {
  private readonly waiting = new Set<Waiting>();
  private timer: NodeJS.Timeout | undefined;
  private isArmed = false;
  private isHeard = false;
  private quiet = 0;
  private limit: number;

  /**
   * @param silence milliseconds without a response that are allowed; Infinity for any.
   * @param ask sends a request that a working bucket answers quickly; never rejects.
   * @param onSilence called with the start of the oldest waiting request, on the monotonic clock.
   */
  constructor(
    private readonly silence: number,
    private readonly ask: () => void,
    private readonly onSilence: (since: number) => void,
  ) {
    this.limit = silence;
  }

  /** Begins to watch; before that, requests only have their own deadlines. */
  arm(): void {
    this.isArmed = true;
  }

  /** Called for every response. */
  hear(): void {
    this.isHeard = true;
  }

  /** A bucket that needed so many milliseconds for a small response is slow, not silent. */
  allow(milliseconds: number): void {
    this.limit = Math.max(this.silence, 2 * milliseconds);
  }

  /** Waits for a response, or until `fail`. @param stop called in the second case. */
  async wait<T>(response: Promise<T>, stop: (error: Error) => void): Promise<T> {
    const since = performance.now();
    let waiting: Waiting | undefined;
    const failing = new Promise<never>((_, reject) => {
      waiting = {
        since,
        fail(error) {
          reject(error);
          stop(error);
        },
      };
    });
    if (waiting) this.waiting.add(waiting);
    this.timer ??= this.schedule();
    try {
      const value = await Promise.race([response, failing]);
      if (performance.now() - since < this.silence / looks) this.limit = this.silence;
      return value;
    } finally {
      if (waiting) this.waiting.delete(waiting);
    }
  }

  /** Ends all waiting requests with the error. */
  fail(error: Error): void {
    for (const waiting of this.waiting) waiting.fail(error);
  }

  /** Stops watching. */
  close(): void {
    this.isArmed = false;
    clearTimeout(this.timer);
  }

  private schedule(): NodeJS.Timeout | undefined {
    if (!this.isArmed || this.limit === Infinity) return undefined;
    return setTimeout(() => this.look(), this.limit / looks).unref();
  }

  private look(): void {
    const [oldest] = this.waiting;
    this.quiet = this.isHeard || !oldest ? 0 : this.quiet + 1;
    this.isHeard = false;
    this.timer = oldest && this.schedule();
    if (!oldest) return;
    if (this.quiet === suspicion) this.ask();
    if (this.quiet < looks) return;
    this.quiet = 0;
    this.onSilence(oldest.since);
  }
}
