import { performance } from 'node:perf_hooks';
import { inTime } from '../../mirrored/deadline.js';

/** A list counts for so many times as long as it took to make, within these bounds in milliseconds. */
const restShare = 20;
const [shortest, longest] = [100, 300_000];
/** Milliseconds that a new list takes, at most, for a reader to wait for it who could have an older one. */
const worthWaiting = 500;

interface Made<T> {
  readonly value: T;
  /** Of the monotonic clock. */
  readonly at: number;
  readonly took: number;
  readonly lifetime: number;
}

/** A list that is made in the background while somebody wants it, by one maker at a time. */
export class Fresh<T> {
  private made: Made<T> | undefined;
  private making: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;

  constructor(private readonly make: () => Promise<T>) {}

  /**
   * The list, a little old at most where making it is quick; undefined while the first is being made.
   * @throws what making it threw, when there is no older one.
   */
  async get(): Promise<T | undefined> {
    if (this.isOld) {
      this.making ??= this.remake();
      if (!this.made || this.made.took <= worthWaiting) await inTime(this.making);
    }
    const failure = this.failure;
    if (this.made) return this.made.value;
    if (failure) throw failure.error;
    return undefined;
  }

  /** Resolves when nothing is being made. */
  async settled(): Promise<void> {
    await this.making;
  }

  private get isOld(): boolean {
    return !this.made || performance.now() - this.made.at >= this.made.lifetime;
  }

  /** Never rejects: an error is for those who have no older list. */
  private async remake(): Promise<void> {
    const start = performance.now();
    try {
      const value = await this.make();
      const at = performance.now();
      const took = at - start;
      const lifetime = Math.min(Math.max(took * restShare, shortest), longest);
      this.made = { value, at, took, lifetime };
      this.failure = undefined;
    } catch (error) {
      this.failure = { error };
    } finally {
      this.making = undefined;
    }
  }
}
