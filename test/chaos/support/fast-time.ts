import { vi } from 'vitest';

/** Real milliseconds for each second that passes. */
const pace = 40;

/**
 * Lets the deadlines of the process under test pass twenty-five times as fast, while sockets and files stay as they
 * are. Only for tests whose work takes far less real time than the deadlines they must not meet.
 */
export class FastTime implements Disposable {
  private readonly ticker: NodeJS.Timeout;
  private passed = 0;

  constructor() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    this.ticker = setInterval(() => {
      this.passed += 1_000;
      vi.advanceTimersByTime(1_000);
    }, pace);
  }

  /** Seconds that have passed. */
  get seconds(): number {
    return this.passed / 1_000;
  }

  [Symbol.dispose](): void {
    clearInterval(this.ticker);
    vi.useRealTimers();
  }
}
