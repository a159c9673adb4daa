import { Logger } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../config/clock/clock.js';
import { Circuit, type CircuitState } from './circuit.js';
import { FairQueue } from './fair.queue.js';
import { parseRateLimit, type RateLimit } from './rate-limit.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';

/** What is limited apart by registries: Docker Hub counts manifest GETs and leaves the rest alone. */
export type RequestKind = 'manifest-head' | 'manifest-get' | 'blob-head' | 'blob' | 'tag-list' | 'referrers';

/** Consecutive failures after which an upstream is known to be out of order. */
const outageThreshold = 3;
/**
 * Places for short requests; blobs, which hold theirs for long, have the rest of `max_connections`. As many requests are
 * lost when an outage begins, and twenty tags may cost no more than 22 with the probes of the first minute (P8).
 */
const shortPlaces = 12;
/** Milliseconds to wait for a place. */
const placeDeadline = 20_000;
/** Milliseconds that an upstream counts as slow without being asked again. */
const slowTime = 10_000;

/** Registries that do not know one of these answer with all sorts of errors; that is no outage. */
const lists: ReadonlySet<RequestKind> = new Set(['tag-list', 'referrers']);

const outages: ReadonlySet<UpstreamErrorKind> = new Set(['unavailable', 'timeout', 'unresolved']);

/** Whether an error says that the upstream cannot answer now, so that something else may. */
export function isOutage(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError && (outages.has(error.kind) || error.kind === 'rate-limited');
}

/** Which circuits a request was a probe of. */
interface Probes {
  readonly outage: boolean;
  readonly limit: boolean;
}

/** One upstream host as experience has it: whether it answers, which requests it limits, how many it is sent. */
export class UpstreamHealth {
  private readonly logger = new Logger('Upstream');
  private readonly outage: Circuit;
  private readonly limits: Record<RequestKind, Circuit>;
  private readonly short: FairQueue;
  private readonly long: FairQueue;
  /** What opened a circuit: what those get who are not let through. */
  private readonly causes = new Map<Circuit, UpstreamErrorKind>();
  private slowUntil = 0;
  private seen: (RateLimit & { readonly until: number }) | undefined;

  constructor(
    private readonly host: string,
    maxConnections: number,
    private readonly clock: Clock,
  ) {
    const limit = () => new Circuit(1, clock);
    this.outage = new Circuit(outageThreshold, clock);
    this.limits = {
      'manifest-head': limit(),
      'manifest-get': limit(),
      'blob-head': limit(),
      blob: limit(),
      'tag-list': limit(),
      referrers: limit(),
    };
    const places = Math.min(shortPlaces, Math.ceil(maxConnections / 2));
    this.short = new FairQueue(places);
    this.long = new FairQueue(Math.max(1, maxConnections - places));
  }

  /** The pull limit that the upstream last told of; undefined when it has none, or its window has passed. */
  get rateLimit(): RateLimit | undefined {
    return this.seen && this.clock.monotonic() < this.seen.until ? this.seen : undefined;
  }

  get circuit(): CircuitState {
    return this.outage.state;
  }

  /** The kinds of requests that the upstream takes none of now. */
  get limited(): RequestKind[] {
    return (Object.keys(this.limits) as RequestKind[]).filter((kind) => this.limits[kind].isOpen);
  }

  /** Requests that wait for a place. */
  get waiting(): number {
    return this.short.waiting + this.long.waiting;
  }

  /** Whether the upstream is known not to answer. */
  get isOut(): boolean {
    return this.outage.isOpen;
  }

  /**
   * Runs one request, if experience lets it, within the bound on connections.
   * @param action gives what holds the connection, which calls `release` when it is done with it.
   * @throws UpstreamError `unavailable` or `rate-limited` at once during a known outage or limit, without a request.
   */
  async run<T>(kind: RequestKind, repository: string, action: (release: () => void) => Promise<T>): Promise<T> {
    this.check(kind);
    const queue = kind === 'blob' ? this.long : this.short;
    const release = await queue.enter(repository, placeDeadline);
    if (!release) throw new UpstreamError('unavailable', `${this.host} has too many requests of ours under way`);
    let probes: Probes | undefined;
    try {
      // Those before us in the queue may have found out.
      this.check(kind);
      probes = { outage: this.outage.enter(), limit: this.limits[kind].enter() };
      const result = await action(release);
      this.succeed(kind, probes);
      return result;
    } catch (error) {
      release();
      if (probes) this.fail(kind, error, probes);
      throw error;
    }
  }

  /** Reads what an answer tells of limits. */
  observe(headers: IncomingHttpHeaders): void {
    const limit = parseRateLimit(headers);
    if (!limit) return;
    if (limit.remaining === 0 && this.rateLimit?.remaining !== 0) {
      this.logger.warn(`${this.host} has no pulls left of ${limit.limit} in ${limit.window} s`);
    }
    this.seen = { ...limit, until: this.clock.monotonic() + Math.max(60, limit.window) * 1000 };
  }

  /** Whether somebody waited too long for an answer a moment ago and nothing has been answered since. */
  get isSlow(): boolean {
    return this.clock.monotonic() < this.slowUntil;
  }

  noteSlow(): void {
    this.slowUntil = this.clock.monotonic() + slowTime;
  }

  private check(kind: RequestKind): void {
    this.checkCircuit(this.outage, `${this.host} is not answering`);
    this.checkCircuit(this.limits[kind], `${this.host} takes no ${kind} requests now`);
  }

  private checkCircuit(circuit: Circuit, message: string): void {
    if (circuit.isPassable) return;
    const cause = this.causes.get(circuit);
    // Nobody has waited for this answer, so it is not late, whatever the first one was.
    throw new UpstreamError(
      cause === undefined || cause === 'timeout' ? 'unavailable' : cause,
      message,
      circuit.retryAfter,
    );
  }

  private succeed(kind: RequestKind, probes: Probes): void {
    this.noteResponse(probes);
    if (this.limits[kind].succeed(probes.limit)) this.logger.log(`${this.host} answers ${kind} requests again`);
  }

  private noteResponse({ outage }: Probes): void {
    if (this.outage.succeed(outage)) this.logger.log(`${this.host} answers again`);
    this.slowUntil = 0;
  }

  private fail(kind: RequestKind, error: unknown, probes: Probes): void {
    if (!isOutage(error)) {
      // Whatever it said, it was there to say it.
      if (error instanceof UpstreamError) this.succeed(kind, probes);
      this.outage.leave(probes.outage);
      this.limits[kind].leave(probes.limit);
    } else if (error.kind === 'rate-limited' || lists.has(kind)) {
      if (error.kind === 'rate-limited') this.noteResponse(probes);
      else this.outage.leave(probes.outage);
      const hasOpened = this.failCircuit(this.limits[kind], error, probes.limit);
      if (hasOpened) this.logger.warn(`${error.message}; ${kind} requests wait, and what is stored is served`);
    } else {
      this.limits[kind].leave(probes.limit);
      const hasOpened = this.failCircuit(this.outage, error, probes.outage);
      if (hasOpened) this.logger.warn(`${error.message}; what is stored is served until it answers`);
    }
  }

  private failCircuit(circuit: Circuit, { kind, retryAfter }: UpstreamError, isProbe: boolean): boolean {
    this.causes.set(circuit, kind);
    return circuit.fail(isProbe, retryAfter);
  }
}
