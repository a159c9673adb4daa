/** Milliseconds: Node fires a longer timeout at once. */
const longestTimeout = 2 ** 31 - 1;

/** Calls a function at an interval until it is stopped. It does not keep the process alive. */
export class Timer {
  private timer: NodeJS.Timeout | undefined;

  /** @param first milliseconds until the first call. @param interval milliseconds between calls, at most 24 days. */
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
