import type { Clock } from '../../config/clock/clock.js';
import type { WebhookSettings } from '../../config/webhooks/webhook.settings.js';
import { messageOf } from '../formats/format.js';
import type { EventQueue } from '../queue/event.queue.js';
import type { Lane } from '../queue/lanes.js';
import type { WebhookCounts } from '../webhook.counts.js';
import type { WebhookLog } from '../webhook.log.js';
import { delayAfter } from './backoff.js';
import type { Poster } from './post.js';

/** Milliseconds that running requests may take after the end of the server. */
const stopTime = 1_000;

export interface DeliveriesPlace {
  readonly settings: WebhookSettings;
  readonly queue: EventQueue;
  readonly counts: WebhookCounts;
  readonly poster: Poster;
  readonly log: WebhookLog;
  readonly clock: Clock;
  /** Concurrent requests. */
  readonly concurrency: number;
}

/** Sends what waits in a queue, each lane in its order, and repeats what failed. */
export class Deliveries {
  private readonly running = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private isStopped = false;
  /** Until when nothing is sent, because the other side wants that. */
  private pausedUntil = -Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(private place: DeliveriesPlace) {}

  /** Sends with other settings from the next request on. */
  change(settings: WebhookSettings, poster: Poster): void {
    this.place.poster.retire();
    this.place = { ...this.place, settings, poster };
  }

  /** Sends as much as may be sent now. */
  proceed(): void {
    const { queue, concurrency, clock } = this.place;
    if (this.isStopped) return;
    const pause = this.pausedUntil - clock.monotonic();
    if (pause > 0) {
      this.timer ??= setTimeout(() => this.resume(), pause).unref();
      return;
    }
    while (this.running.size < concurrency) {
      const lane = queue.lanes.take();
      if (!lane) return;
      this.start(lane);
    }
  }

  /** Ends requests that run too long; their events stay in the queue. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.place.queue.lanes.stop();
    const timer = setTimeout(() => this.stopping.abort(), stopTime);
    await Promise.all(this.running);
    clearTimeout(timer);
    this.place.queue.lanes.stop();
    this.place.poster.close();
  }

  private resume(): void {
    this.timer = undefined;
    this.proceed();
  }

  private start(lane: Lane): void {
    const running = this.deliver(lane).then(() => {
      this.running.delete(running);
      this.proceed();
    });
    this.running.add(running);
  }

  /** Never rejects. */
  private async deliver(lane: Lane): Promise<void> {
    const { queue, poster, counts, log, settings } = this.place;
    const event = await queue.read(lane);
    if (!event) {
      await queue.done(lane);
      return;
    }
    const result = await poster.post(messageOf(event, settings.format), this.stopping.signal);
    if (result.isDelivered) {
      counts.delivered += 1;
      log.delivered();
      const isBack = lane.attempts > 0;
      lane.attempts = 0;
      await queue.done(lane);
      // What it refused it accepts now: the others need not wait for their time.
      if (isBack) queue.lanes.wake();
      return;
    }
    if (this.stopping.signal.aborted) return;
    counts.failed += 1;
    log.failed(result.reason);
    await this.postpone(lane, result.retryAfter);
  }

  private async postpone(lane: Lane, retryAfter: number | undefined): Promise<void> {
    const { queue, clock, settings } = this.place;
    if (retryAfter !== undefined) this.pausedUntil = Math.max(this.pausedUntil, clock.monotonic() + retryAfter * 1000);
    lane.attempts += 1;
    const age = clock.now() - (lane.files[0]?.since ?? 0);
    if (age >= settings.retryFor) {
      queue.drop('expired');
      await queue.done(lane);
    } else queue.lanes.wait(lane, delayAfter(lane.attempts), () => this.proceed());
  }
}
