import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../report/summary.js';
import { readUsage } from './usage.js';

/** Milliseconds between two readings. */
const tick = 1_000;

/** Reads the resident size of a process and its descendants every second while a load runs. */
export class MemoryWatch {
  private readonly readings: { readonly at: number; readonly bytes: number }[] = [];
  private readonly start = performance.now();
  private readonly stopped = new AbortController();

  /** Until the signal of the work is over; what the work returns is returned. */
  async during<T>(pid: number, work: () => Promise<T>): Promise<T> {
    const reading = this.read(pid);
    try {
      return await work();
    } finally {
      this.stopped.abort();
      await reading;
    }
  }

  /**
   * The median, in MiB, of what was read in the seconds before a moment: one reading depends on when the garbage was
   * last collected. NaN when nothing was read then.
   * @param moment seconds after the start
   */
  before(moment: number, seconds: number): number {
    const age = ({ at }: { readonly at: number }): number => moment - (at - this.start) / 1000;
    const then = this.readings.filter((reading) => age(reading) >= 0 && age(reading) < seconds);
    return median(then.map(({ bytes }) => bytes)) / 1024 ** 2;
  }

  private async read(pid: number): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      this.readings.push({ at: performance.now(), bytes: readUsage(pid).residentBytes });
      await sleep(tick, undefined, { signal }).catch(() => undefined);
    }
  }
}
