/** Limits concurrency; waiting actions run in order of arrival. */
export class Semaphore {
  private readonly waiting: (() => void)[] = [];
  private entered = 0;

  constructor(private free: number) {}

  /** Running and waiting actions. */
  get count(): number {
    return this.entered;
  }

  async run<T>(action: () => Promise<T>): Promise<T> {
    this.entered += 1;
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await action();
    } finally {
      this.entered -= 1;
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
