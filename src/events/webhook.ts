import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../config/clock/clock.js';
import { areEqual } from '../config/reload/changes.js';
import type { EventAction, WebhookSettings } from '../config/webhooks/webhook.settings.js';
import { RepositoryPattern } from '../oci/patterns/repository-pattern.js';
import type { RepositoryRef } from '../oci/repository.js';
import { Deliveries } from './delivery/deliveries.js';
import { Poster } from './delivery/post.js';
import type { RegistryEvent } from './event.js';
import { EventQueue } from './queue/event.queue.js';
import { WebhookLog } from './webhook.log.js';
import { WebhookCounts, type WebhookStatistics } from './webhook.counts.js';

/** Milliseconds that events may take to be written at the end. */
const stopTime = 1_000;
/** Concurrent requests to one webhook. */
const concurrency = 8;
/** There may be many of them at a time, and they change nothing that was pushed. */
const minor: ReadonlySet<EventAction> = new Set<EventAction>(['pull', 'evict']);

/** One endpoint: what it wants to know, what waits for it, and its connections. */
export class Webhook {
  private readonly counts = new WebhookCounts();
  private patterns: readonly RepositoryPattern[];
  private readonly queue: EventQueue;
  private readonly deliveries: Deliveries;

  constructor(
    private settings: WebhookSettings,
    folder: () => string | undefined,
    clock: Clock,
  ) {
    const log = new WebhookLog(new Logger('Webhooks'), settings.name, () => clock.monotonic());
    this.patterns = patternsOf(settings);
    this.queue = new EventQueue(settings, this.counts, {
      folder,
      now: () => clock.now(),
      onDrop: (reason, error) => log.dropped(reason, error),
    });
    const poster = new Poster(settings, concurrency);
    this.deliveries = new Deliveries({
      settings,
      queue: this.queue,
      counts: this.counts,
      poster,
      log,
      clock,
      concurrency,
    });
  }

  /** Follows the webhooks file: what waits is sent to the new URL, with the new credentials. @param settings of the same name */
  change(settings: WebhookSettings): void {
    if (areEqual(this.settings, settings)) return;
    const poster = new Poster(settings, concurrency);
    this.patterns = patternsOf(settings);
    this.settings = settings;
    this.queue.change(settings);
    this.deliveries.change(settings, poster);
    // What the old URL refused need not wait for its time.
    this.queue.lanes.wake();
    this.deliveries.proceed();
  }

  get name(): string {
    return this.settings.name;
  }

  get statistics(): WebhookStatistics {
    const { queue, counts } = this;
    return { name: this.settings.name, counts, queued: queue.lanes.length, oldest: queue.oldest };
  }

  wants(action: EventAction, repository: RepositoryRef): boolean {
    return this.settings.events.includes(action) && this.patterns.some((pattern) => pattern.matches(repository));
  }

  /** Resolves when the event is on the disk, or dropped; never rejects. */
  async add(event: RegistryEvent, text: string): Promise<void> {
    await this.queue.add(event, text, minor.has(event.action));
    this.deliveries.proceed();
  }

  /** Adds what another process has left. */
  async load(folder: string): Promise<void> {
    await this.queue.load(folder);
    this.deliveries.proceed();
  }

  /** Ends requests that run; what they sent is sent again. A disk that hangs does not hold up the end of the server. */
  async stop(): Promise<void> {
    await Promise.race([this.queue.settled(), sleep(stopTime, undefined, { ref: false })]);
    await this.deliveries.stop();
  }
}

function patternsOf({ repositories }: WebhookSettings): readonly RepositoryPattern[] {
  return repositories.map((pattern) => RepositoryPattern.parse(pattern));
}
