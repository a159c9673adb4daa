import type { Logger } from '@nestjs/common';
import type { DropReason } from './webhook.counts.js';

/** Milliseconds between two lines about dropped events. */
const pause = 60_000;

const reasons: Readonly<Record<DropReason, string>> = {
  full: 'its queue is full',
  storage: 'it could not be written or read',
  expired: 'it was too old',
};

/** Tells when a webhook fails and when it is back: a line for each change, none for each event. Never with its URL. */
export class WebhookLog {
  private failures = 0;
  private drops = 0;
  private toldAt = -Infinity;

  constructor(
    private readonly logger: Logger,
    private readonly name: string,
    private readonly monotonic: () => number,
  ) {}

  failed(reason: string): void {
    this.failures += 1;
    if (this.failures === 1) this.logger.warn(`${this.name} does not accept events (${reason}): they wait`);
  }

  delivered(): void {
    if (this.failures > 0) this.logger.log(`${this.name} accepts events again, after ${this.failures} failed requests`);
    this.failures = 0;
  }

  dropped(reason: DropReason, error?: unknown): void {
    this.drops += 1;
    const now = this.monotonic();
    if (now - this.toldAt < pause) return;
    const detail = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    const more = this.drops === 1 ? '' : `, and ${this.drops - 1} others before it`;
    this.logger.warn(`an event for ${this.name} was dropped${more}: ${reasons[reason]}${detail}`);
    this.toldAt = now;
    this.drops = 0;
  }
}
