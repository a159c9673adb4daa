/** Aborts an operation without progress, or when a parent signal is aborted. */
export class Watchdog {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;

  /** @param timeout milliseconds without progress. */
  constructor(
    timeout: number,
    private readonly parent?: AbortSignal,
  ) {
    this.timer = setTimeout(() => this.end(new StalledError()), timeout);
    if (parent?.aborted === true) this.forward();
    else parent?.addEventListener('abort', this.forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Reports progress. */
  readonly refresh = (): void => {
    this.timer.refresh();
  };

  /** Aborts the operation for another reason. */
  readonly end = (reason: unknown): void => {
    this.controller.abort(reason);
  };

  /** Stops watching. */
  stop(): void {
    clearTimeout(this.timer);
    this.parent?.removeEventListener('abort', this.forward);
  }

  private readonly forward = (): void => {
    this.end(this.parent?.reason);
  };
}

/** The peer has stopped sending or receiving. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
  readonly code = 'ETIMEDOUT';

  constructor() {
    super('no data was transferred for too long');
  }
}
