import { SignInRefused } from '../sign-in.js';

/** Lets a bounded number of tasks run at once, and a bounded number wait for their turn. */
export class Slots {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(
    private readonly concurrency: number,
    private readonly maxWaiting: number,
  ) {}

  /**
   * @param deadline for the wait alone
   * @throws SignInRefused `busy` when too many wait; the reason of the deadline when it comes before the turn
   */
  async run<T>(task: () => Promise<T>, deadline?: AbortSignal): Promise<T> {
    await this.enter(deadline);
    try {
      return await task();
    } finally {
      this.leave();
    }
  }

  private async enter(deadline: AbortSignal | undefined): Promise<void> {
    if (this.running < this.concurrency) {
      this.running += 1;
      return;
    }
    if (this.waiting.length >= this.maxWaiting) throw new SignInRefused('busy', 1);
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        deadline?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.waiting.splice(this.waiting.indexOf(begin), 1);
        reject(deadline?.reason instanceof Error ? deadline.reason : new Error('the deadline has passed'));
      };
      deadline?.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(begin);
    });
  }

  /** The place goes to the next one. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.running -= 1;
  }
}
