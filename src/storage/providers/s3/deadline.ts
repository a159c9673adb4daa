/** Ends what it watches when nothing has happened for a while, or when somebody else wants it ended. */
export class Watchdog {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;

  /** @param patience milliseconds between two signs of life. */
  constructor(
    patience: number,
    private readonly wish?: AbortSignal,
  ) {
    this.timer = setTimeout(() => this.end(new StalledError()), patience);
    if (wish?.aborted === true) this.forward();
    else wish?.addEventListener('abort', this.forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** A sign of life. */
  readonly refresh = (): void => {
    this.timer.refresh();
  };

  /** Ends what is watched, for another reason. */
  readonly end = (reason: unknown): void => {
    this.controller.abort(reason);
  };

  /** Stops watching. */
  stop(): void {
    clearTimeout(this.timer);
    this.wish?.removeEventListener('abort', this.forward);
  }

  private readonly forward = (): void => {
    this.end(this.wish?.reason);
  };
}

/** The other side has stopped. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
  readonly code = 'ETIMEDOUT';

  constructor() {
    super('nothing was heard for too long');
  }
}
