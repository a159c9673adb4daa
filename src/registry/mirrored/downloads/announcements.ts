import { blockSize } from '../../../storage/reading/shared-blocks.js';

/**
 * Milliseconds until followers are notified of bytes that do not fill a block. It grows with their number: waking a
 * thousand followers for each packet costs more than it gains.
 */
const delayFor = (followers: number): number => Math.min(200, 5 + followers / 5);

/** Notifies the followers of a download of bytes: of the first ones at once, of full blocks, and of others after a short delay. */
export class Announcements {
  /** Bytes that followers have been notified of. */
  announced = 0;
  private received = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly followers: ReadonlySet<unknown>,
    private readonly wake: () => void,
  ) {}

  /** @param received bytes so far */
  note(received: number): void {
    this.received = received;
    const full = received - (received % blockSize);
    if (this.announced === 0 || full > this.announced) this.announce(full || received);
    if (received === this.announced) return;
    this.timer ??= setTimeout(() => this.announce(this.received), delayFor(this.followers.size));
  }

  /** The download begins with its first byte again. */
  restart(): void {
    this.announced = 0;
    this.received = 0;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private announce(received: number): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.announced = received;
    this.wake();
  }
}
