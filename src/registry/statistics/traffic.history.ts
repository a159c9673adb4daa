import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../config/clock/clock.js';
import { RegistryStatistics } from './registry.statistics.js';

/** Milliseconds per entry, and the number of entries: a day. */
const period = 300_000;
const maxEntries = 288;

/** Traffic in one period of five minutes. */
export interface TrafficEntry {
  /** End of the period, milliseconds since 1970. */
  readonly at: number;
  /** Bytes. */
  readonly sent: number;
  readonly received: number;
  readonly hits: number;
  readonly misses: number;
}

type Totals = Omit<TrafficEntry, 'at'>;

/** Traffic of the last day in periods of five minutes. In memory, for the status page. */
@Injectable()
export class TrafficHistory implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly past: TrafficEntry[] = [];
  private before: Totals = { sent: 0, received: 0, hits: 0, misses: 0 };
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly statistics: RegistryStatistics,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Oldest first; the current period is the last. */
  get entries(): readonly TrafficEntry[] {
    return [...this.past, this.current()];
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.endPeriod(), period).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  endPeriod(): void {
    this.past.push(this.current());
    if (this.past.length > maxEntries - 1) this.past.shift();
    this.before = this.statistics.totals;
  }

  private current(): TrafficEntry {
    const { sent, received, hits, misses } = this.statistics.totals;
    const { before } = this;
    return {
      at: this.clock.now(),
      sent: sent - before.sent,
      received: received - before.received,
      hits: hits - before.hits,
      misses: misses - before.misses,
    };
  }
}
