import type { Rate } from '../../config/access/rate.js';

/** Spans that are remembered for one limit. Those of anonymous and of known clients are apart, in limits of their own. */
const maxEntries = 20_000;

interface Span {
  readonly start: number;
  used: number;
}

/** What is left of a limit. */
export interface Remainder {
  readonly rate: Rate;
  readonly left: number;
  /** Seconds until the span ends, and everything is there again. */
  readonly seconds: number;
}

/**
 * Counts against one rate, each key by itself. A span begins with the first use and ends after its time, so that nobody
 * waits longer than one. Of more keys than are remembered, the one unused for longest is forgotten: it gets a new span.
 */
export class Budgets {
  /** In order of last use. */
  private readonly spans = new Map<string, Span>();

  /** @param now monotonic, in milliseconds */
  constructor(
    private readonly rate: Rate,
    private readonly now: () => number,
  ) {}

  /** Whoever is refused stays remembered. */
  remainder(key: string): Remainder {
    const span = this.current(key);
    const { most, span: length } = this.rate;
    if (!span) return { rate: this.rate, left: most, seconds: Math.ceil(length / 1000) };
    const seconds = Math.max(1, Math.ceil((span.start + length - this.now()) / 1000));
    return { rate: this.rate, left: Math.max(0, most - span.used), seconds };
  }

  use(key: string, amount: number): void {
    const span = this.current(key) ?? { start: this.now(), used: 0 };
    span.used += amount;
    this.touch(key, span);
  }

  get size(): number {
    return this.spans.size;
  }

  private current(key: string): Span | undefined {
    const span = this.spans.get(key);
    if (span && this.now() - span.start >= this.rate.span) return undefined;
    if (span && span.used >= this.rate.most) this.touch(key, span);
    return span;
  }

  private touch(key: string, span: Span): void {
    this.spans.delete(key);
    this.spans.set(key, span);
    if (this.spans.size <= maxEntries) return;
    for (const oldest of this.spans.keys()) {
      this.spans.delete(oldest);
      break;
    }
  }
}
