/**
 * A semaphore that serves waiting repositories round-robin, so that a repository with a thousand queued layers does not
 * delay the others.
 */
export class FairQueue {
  private readonly queues = new Map<string, (() => void)[]>();
  private used = 0;

  constructor(private readonly slots: number) {}

  /** Number of waiting requests. */
  get waiting(): number {
    return [...this.queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /**
   * Waits for a slot, for at most `deadline` milliseconds.
   * @returns a function that releases the slot; undefined when none became free in time.
   */
  async enter(repository: string, deadline: number): Promise<(() => void) | undefined> {
    if (this.used < this.slots) this.used += 1;
    // A slot that is handed over stays counted as used.
    else if (!(await this.wait(repository, deadline))) return undefined;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.handOver();
    };
  }

  /** Resolves to whether a slot was handed over in time. */
  private wait(repository: string, deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const queue = this.queues.get(repository) ?? [];
      const timer = setTimeout(() => {
        this.remove(repository, grant);
        resolve(false);
      }, deadline);
      const grant = () => {
        clearTimeout(timer);
        resolve(true);
      };
      queue.push(grant);
      this.queues.set(repository, queue);
    });
  }

  private handOver(): void {
    const [next] = this.queues;
    if (!next) {
      this.used -= 1;
      return;
    }
    const [repository, queue] = next;
    const grant = queue.shift();
    // The repository moves behind the others that wait.
    this.queues.delete(repository);
    if (queue.length > 0) this.queues.set(repository, queue);
    grant?.();
  }

  private remove(repository: string, grant: () => void): void {
    const queue = this.queues.get(repository)?.filter((other) => other !== grant) ?? [];
    if (queue.length > 0) this.queues.set(repository, queue);
    else this.queues.delete(repository);
  }
}
