import { Logger } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../config/clock/clock.js';
import { Circuit, type CircuitState } from './circuit.js';
import { FairQueue } from './fair.queue.js';
import { parseRateLimit, type RateLimit } from './rate-limit.js';
import { LocalLimitError, TlsError, UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';

/** Requests that registries rate-limit separately: Docker Hub counts only GETs of manifests. */
export type RequestKind = 'manifest-head' | 'manifest-get' | 'blob-head' | 'blob' | 'tag-list' | 'referrers';

/** Consecutive failures that open an upstream's circuit. */
const outageThreshold = 3;
/**
 * Connections for short requests; blobs have the rest of `max_connections`. This is also how many requests fail when an
 * outage begins: twenty tags may cost at most 22 requests, including the probes of the first minute (P8).
 */
const shortSlots = 12;
/** Milliseconds to wait for a connection. */
const slotDeadline = 20_000;
/** Milliseconds for which an upstream is considered slow. */
const slowTime = 10_000;

/** Registries without these endpoints respond with all kinds of errors, which are not outages. */
const lists: ReadonlySet<RequestKind> = new Set(['tag-list', 'referrers']);

const outages: ReadonlySet<UpstreamErrorKind> = new Set(['unavailable', 'timeout', 'unresolved']);

/** Whether an error means that the upstream is unavailable, so that a fallback or a cached response may be used. */
export function isOutage(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError && (outages.has(error.kind) || error.kind === 'rate-limited');
}

/** The circuits that a request probes. */
interface Probes {
  readonly outage: boolean;
  readonly limit: boolean;
}

/** Health of one upstream host: its circuits, its rate limits and its bound on concurrent requests. */
export class UpstreamHealth {
  private readonly logger = new Logger('Upstream');
  private readonly outage: Circuit;
  private readonly limits: Record<RequestKind, Circuit>;
  private readonly short: FairQueue;
  private readonly long: FairQueue;
  /** What opened each circuit: the error of the requests that it rejects. */
  private readonly causes = new Map<Circuit, UpstreamError>();
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
    const slots = Math.min(shortSlots, Math.ceil(maxConnections / 2));
    this.short = new FairQueue(slots);
    this.long = new FairQueue(Math.max(1, maxConnections - slots));
  }

  /** The pull limit that the upstream last reported; undefined when it reported none or the window has passed. */
  get rateLimit(): RateLimit | undefined {
    return this.seen && this.clock.monotonic() < this.seen.until ? this.seen : undefined;
  }

  get circuit(): CircuitState {
    return this.outage.state;
  }

  /** Kinds of requests that are currently rate-limited. */
  get limited(): RequestKind[] {
    return (Object.keys(this.limits) as RequestKind[]).filter((kind) => this.limits[kind].isOpen);
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.short.waiting + this.long.waiting;
  }

  /** Downloads among them. */
  get waitingBlobs(): number {
    return this.long.waiting;
  }

  /** Whether the upstream is known to be unavailable. */
  get isOut(): boolean {
    return this.outage.isOpen;
  }

  /**
   * Runs one request within the bound on connections, unless a circuit is open.
   * @param action sends the request and arranges that `release` is called when it no longer needs the connection.
   * @throws UpstreamError `unavailable` or `rate-limited` immediately during a known outage or limit.
   */
  async run<T>(kind: RequestKind, repository: string, action: (release: () => void) => Promise<T>): Promise<T> {
    this.check(kind);
    const queue = kind === 'blob' ? this.long : this.short;
    const release = await queue.enter(repository, slotDeadline);
    if (!release) throw new LocalLimitError(`${this.host} has too many requests in flight`);
    let probes: Probes | undefined;
    try {
      // A circuit may have opened in the meantime.
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

  /** Records the rate limit that a response reports. */
  observe(headers: IncomingHttpHeaders): void {
    const limit = parseRateLimit(headers);
    if (!limit) return;
    if (limit.remaining === 0 && this.rateLimit?.remaining !== 0) {
      this.logger.warn(`${this.host} has no pulls left of its limit of ${limit.limit} in ${limit.window} s`);
    }
    this.seen = { ...limit, until: this.clock.monotonic() + Math.max(60, limit.window) * 1000 };
  }

  /** Whether a request recently waited too long and no response has arrived since. */
  get isSlow(): boolean {
    return this.clock.monotonic() < this.slowUntil;
  }

  noteSlow(): void {
    this.slowUntil = this.clock.monotonic() + slowTime;
  }

  private check(kind: RequestKind): void {
    this.checkCircuit(this.outage, `${this.host} is unavailable`);
    this.checkCircuit(this.limits[kind], `${this.host} is not accepting ${kind} requests`);
  }

  private checkCircuit(circuit: Circuit, message: string): void {
    if (circuit.isPassable) return;
    const cause = this.causes.get(circuit);
    // The response for a name that does not resolve stays the same, or it would differ from that for a private address.
    if (cause?.kind === 'unresolved') throw new UpstreamError(cause.kind, cause.message, circuit.retryAfter);
    // What an operator has to change stays the reason.
    if (cause instanceof TlsError) throw new UpstreamError(cause.kind, cause.message, circuit.retryAfter);
    // This request has not waited, so it has not timed out, even if the first one did.
    const kind = cause === undefined || cause.kind === 'timeout' ? 'unavailable' : cause.kind;
    throw new UpstreamError(kind, message, circuit.retryAfter);
  }

  private succeed(kind: RequestKind, probes: Probes): void {
    this.noteResponse(probes);
    if (this.limits[kind].succeed(probes.limit)) this.logger.log(`${this.host} accepts ${kind} requests again`);
  }

  private noteResponse({ outage }: Probes): void {
    if (this.outage.succeed(outage)) this.logger.log(`${this.host} is available again`);
    this.slowUntil = 0;
  }

  private fail(kind: RequestKind, error: unknown, probes: Probes): void {
    if (error instanceof LocalLimitError) {
      this.outage.leave(probes.outage);
      this.limits[kind].leave(probes.limit);
    } else if (!isOutage(error)) {
      // An error response also proves that the host is available.
      if (error instanceof UpstreamError) this.succeed(kind, probes);
      this.outage.leave(probes.outage);
      this.limits[kind].leave(probes.limit);
    } else if (error.kind === 'rate-limited' || lists.has(kind)) {
      if (error.kind === 'rate-limited') this.noteResponse(probes);
      else this.outage.leave(probes.outage);
      const hasOpened = this.failCircuit(this.limits[kind], error, probes.limit);
      if (hasOpened) this.logger.warn(`${error.message}; ${kind} requests are paused, serving cached content`);
    } else {
      this.limits[kind].leave(probes.limit);
      const hasOpened = this.failCircuit(this.outage, error, probes.outage);
      if (hasOpened) this.logger.warn(`${error.message}; serving cached content until it recovers`);
    }
  }

  private failCircuit(circuit: Circuit, error: UpstreamError, isProbe: boolean): boolean {
    this.causes.set(circuit, error);
    return circuit.fail(isProbe, error.retryAfter);
  }
}
