/** Milliseconds: a longer one would fire at once. */
const longestTimeout = 2 ** 31 - 1;

/** Calls something from time to time, until it is stopped. It keeps no process alive. */
export class Timer {
  private timer: NodeJS.Timeout | undefined;

  /** @param first milliseconds until the first call. @param interval between two calls, 24 days at most. */
  start(first: number, interval: number, call: () => void): void {
    const wait = (delay: number) => {
      this.timer = setTimeout(
        () => {
          wait(interval);
          call();
        },
        Math.min(delay, longestTimeout),
      ).unref();
    };
    wait(first);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
