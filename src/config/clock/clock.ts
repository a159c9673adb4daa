/** Time, so that a test can move it. */
export abstract class Clock {
  /** Wall-clock time in milliseconds since 1970: for what is stored. It may jump. */
  abstract now(): number;
  /** Milliseconds since some fixed moment, never going back: for deadlines and expiry. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }
}
