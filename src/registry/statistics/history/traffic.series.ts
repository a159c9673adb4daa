/** What is counted in one period. Bytes, and requests for content. */
export interface Traffic {
  /** Bytes sent to clients. */
  readonly sent: number;
  /** Bytes received from upstreams. */
  readonly received: number;
  readonly hits: number;
  readonly misses: number;
}

/** Traffic of a period that ended, or is still running, at `at`. */
export interface TrafficEntry extends Traffic {
  /** Milliseconds since 1970. */
  readonly at: number;
}

export const noTraffic: Traffic = { sent: 0, received: 0, hits: 0, misses: 0 };

export function sumOf(one: Traffic, other: Traffic): Traffic {
  return {
    sent: one.sent + other.sent,
    received: one.received + other.received,
    hits: one.hits + other.hits,
    misses: one.misses + other.misses,
  };
}

/** Traffic in periods of the clock, so that those of several processes are the same periods. Bounded. */
export class TrafficSeries {
  /** By the number of the period since 1970. */
  private readonly periods = new Map<number, Traffic>();

  /** @param period milliseconds. @param length periods that are kept */
  constructor(
    readonly period: number,
    private readonly length: number,
  ) {}

  /** Adds traffic that came before the moment `now`. */
  add(now: number, traffic: Traffic): void {
    this.addTo(this.numberOf(now), traffic);
    this.forget(now);
  }

  /** Oldest first, with the running period as the last, and periods without traffic between. */
  entries(now: number): TrafficEntry[] {
    const last = this.numberOf(now);
    const known = [...this.periods.keys()].filter((number) => number > last - this.length && number <= last);
    const first = Math.min(last, ...known);
    return Array.from({ length: last - first + 1 }, (_, index) => {
      const number = first + index;
      return { at: Math.min(now, (number + 1) * this.period), ...(this.periods.get(number) ?? noTraffic) };
    });
  }

  /** As JSON: one list for each period with traffic. */
  toJSON(): number[][] {
    return [...this.periods].map(([number, { sent, received, hits, misses }]) => [
      number,
      sent,
      received,
      hits,
      misses,
    ]);
  }

  /** Adds what `toJSON` gave, in whichever process; anything else is ignored. */
  addStored(now: number, stored: unknown): void {
    if (!Array.isArray(stored)) return;
    for (const each of (stored as unknown[]).slice(0, this.length)) {
      if (!isPeriod(each)) continue;
      const [number, sent, received, hits, misses] = each;
      this.addTo(number, { sent, received, hits, misses });
    }
    this.forget(now);
  }

  private addTo(number: number, traffic: Traffic): void {
    this.periods.set(number, sumOf(this.periods.get(number) ?? noTraffic, traffic));
  }

  /** Those too old, and those that a clock once set forward has left in the future. */
  private forget(now: number): void {
    const last = this.numberOf(now);
    for (const number of this.periods.keys()) {
      if (number <= last - this.length || number > last) this.periods.delete(number);
    }
  }

  /** A moment between two periods belongs to the one that ends there. */
  private numberOf(now: number): number {
    return Math.ceil(now / this.period) - 1;
  }
}

type Period = [number: number, sent: number, received: number, hits: number, misses: number];

function isPeriod(value: unknown): value is Period {
  return Array.isArray(value) && value.length === 5 && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}
