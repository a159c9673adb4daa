/** The time. Injected, so that tests can control it. */
export abstract class Clock {
  /** Wall-clock time in milliseconds since 1970: for stored timestamps. May jump. */
  abstract now(): number;
  /** Milliseconds since an arbitrary moment, never decreasing: for deadlines and expiry. */
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
