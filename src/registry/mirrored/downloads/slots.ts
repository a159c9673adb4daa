/** Runs a bounded number of actions concurrently; the others are queued in order of arrival. */
export class Slots {
  private readonly queue: (() => void)[] = [];
  private taken = 0;

  constructor(private readonly count: number) {}

  get waiting(): number {
    return this.queue.length;
  }

  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.taken === this.count) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.taken += 1;
    try {
      return await action();
    } finally {
      const next = this.queue.shift();
      // The slot passes to the next in the queue without becoming free in between.
      if (next) next();
      else this.taken -= 1;
    }
  }
}
