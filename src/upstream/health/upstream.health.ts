import { Logger } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../config/clock/clock.js';
import { Circuit, type CircuitState } from './circuit.js';
import { FailingRepositories } from './failing.repositories.js';
import { FairQueue } from './fair.queue.js';
import { parseRateLimit, type RateLimit } from './rate-limit.js';
import { forEachKind, type RequestKind } from './request.kind.js';
import { RepositoryCircuits, subjectOf } from './repository.circuits.js';
import { LocalLimitError, TlsError, UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';

export type { RequestKind } from './request.kind.js';

/** Consecutive failures to respond that open an upstream's circuit. */
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

/** What a request is about. */
interface Subject {
  readonly kind: RequestKind;
  readonly repository: string;
}

/** The circuits that a request has entered, and whether it probes them. */
interface Probes {
  readonly outage: boolean;
  readonly limit: boolean;
  readonly repository: { readonly circuit: Circuit; readonly isProbe: boolean } | undefined;
}

/**
 * Health of one upstream host: its circuits, its rate limits and its bound on concurrent requests. A failure counts
 * where it belongs: a missing response against the host, a 5xx against the repository and endpoint until three different
 * repositories have it, and what another host does, such as a token server, never against this one.
 */
export class UpstreamHealth {
  private readonly logger = new Logger('Upstream');
  private readonly outage: Circuit;
  private readonly limits: Record<RequestKind, Circuit>;
  private readonly repositories: RepositoryCircuits;
  private readonly failing: FailingRepositories;
  private readonly failingOfKind: Record<RequestKind, FailingRepositories>;
  private readonly short: FairQueue;
  private readonly long: FairQueue;
  /** What opened each circuit: the error of the requests that it rejects. */
  private readonly causes = new WeakMap<Circuit, UpstreamError>();
  private slowUntil = 0;
  private seen: (RateLimit & { readonly until: number }) | undefined;

  constructor(
    private readonly host: string,
    maxConnections: number,
    private readonly clock: Clock,
  ) {
    this.outage = new Circuit(outageThreshold, clock);
    this.limits = forEachKind(() => new Circuit(1, clock));
    this.repositories = new RepositoryCircuits(clock);
    this.failing = new FailingRepositories(clock);
    this.failingOfKind = forEachKind(() => new FailingRepositories(clock));
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

  /** Repositories for which requests are paused, at most 200; each endpoint counts. */
  get failingRepositories(): number {
    return this.repositories.open;
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
    const subject = { kind, repository };
    this.check(subject);
    const queue = kind === 'blob' ? this.long : this.short;
    const release = await queue.enter(repository, slotDeadline);
    if (!release) throw new LocalLimitError(`${this.host} has too many requests in flight`);
    let probes: Probes | undefined;
    try {
      // A circuit may have opened in the meantime.
      this.check(subject);
      probes = this.enter(subject);
      const result = await action(release);
      this.succeed(subject, probes);
      return result;
    } catch (error) {
      release();
      if (probes) this.fail(subject, error, probes);
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

  /** Why a request would not be sent now; undefined when it would. Changes nothing. */
  pauseOf(kind: RequestKind, repository: string): UpstreamError | undefined {
    try {
      this.check({ kind, repository });
      return undefined;
    } catch (error) {
      if (error instanceof UpstreamError) return error;
      throw error;
    }
  }

  private check({ kind, repository }: Subject): void {
    this.checkCircuit(this.outage, `${this.host} is unavailable`);
    this.checkCircuit(this.limits[kind], `${this.host} is not accepting ${kind} requests`);
    const circuit = this.repositories.find(kind, repository);
    if (circuit) this.checkCircuit(circuit, `${this.host} is unavailable for ${subjectOf(kind, repository)}`);
  }

  private enter({ kind, repository }: Subject): Probes {
    const circuit = this.repositories.find(kind, repository);
    return {
      outage: this.outage.enter(),
      limit: this.limits[kind].enter(),
      repository: circuit && { circuit, isProbe: circuit.enter() },
    };
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

  private succeed(subject: Subject, probes: Probes): void {
    const { kind, repository } = subject;
    this.noteResponse(subject, probes);
    this.failingOfKind[kind].noteSuccess(repository);
    if (this.limits[kind].succeed(probes.limit)) this.logger.log(`${this.host} accepts ${kind} requests again`);
    const { circuit, isProbe } = probes.repository ?? {};
    if (circuit?.succeed(isProbe === true) === true)
      this.logger.log(`${this.host} is available again for ${subjectOf(kind, repository)}`);
    if (circuit?.isOpen === false) this.repositories.remove(kind, repository);
  }

  private noteResponse({ repository }: Subject, probes: Probes): void {
    this.noteReachable(probes);
    this.failing.noteSuccess(repository);
    this.slowUntil = 0;
  }

  private fail(subject: Subject, error: unknown, probes: Probes): void {
    const isHere = error instanceof UpstreamError && (error.source?.host ?? this.host) === this.host;
    if (!(error instanceof UpstreamError) || error instanceof LocalLimitError) this.leave(subject, probes);
    else if (!isOutage(error)) {
      // An error response also proves that the host that sent it is available.
      if (isHere) this.succeed(subject, probes);
      this.leave(subject, probes);
    } else if (error.kind === 'rate-limited') {
      this.noteResponse(subject, probes);
      this.leave(subject, { ...probes, limit: false });
      this.pause(subject.kind, error, probes.limit);
    } else if (isHere && error.source?.status === undefined && !(lists.has(subject.kind) && error.kind === 'timeout')) {
      this.failHost(subject, error, probes);
    } else this.failRepository(subject, error, probes, isHere);
  }

  /** There is no evidence in either direction. */
  private leave({ kind }: Subject, { outage, limit, repository }: Probes): void {
    this.outage.leave(outage);
    this.limits[kind].leave(limit);
    repository?.circuit.leave(repository.isProbe);
  }

  /** The host sent no response. */
  private failHost(subject: Subject, error: UpstreamError, probes: Probes): void {
    const isList = lists.has(subject.kind);
    this.leave(subject, { ...probes, ...(isList ? { limit: false } : { outage: false }) });
    if (isList) this.pause(subject.kind, error, probes.limit);
    else this.failOutage(error, probes);
  }

  /** @param isHere whether this host failed; otherwise one that it refers to. */
  private failRepository(subject: Subject, error: UpstreamError, probes: Probes, isHere: boolean): void {
    const { kind, repository } = subject;
    const isOfKind = !isHere || lists.has(kind);
    const circuit = this.repositories.get(kind, repository);
    const isProbe = probes.repository?.circuit === circuit && probes.repository.isProbe;
    if (this.failCircuit(circuit, error, isProbe))
      this.logger.warn(`${error.message} for ${subjectOf(kind, repository)}; serving cached content until it recovers`);
    const hasResponded = isHere && error.source?.status !== undefined;
    // A host that was unreachable and now responds is available; one that failed for several repositories still fails.
    const isStillOut = hasResponded && this.outage.isOpen && this.causes.get(this.outage)?.source?.status !== undefined;
    if (hasResponded && !isStillOut) this.noteReachable(probes);
    const isSpread = (isOfKind ? this.failingOfKind[kind] : this.failing).add(repository);
    const isFailedProbe = isOfKind ? probes.limit : probes.outage && isStillOut;
    const isGeneral = isSpread || isFailedProbe;
    if (isGeneral && isOfKind) this.pause(kind, error, probes.limit, true);
    if (isGeneral && !isOfKind) this.failOutage(error, probes, true);
    this.leave(subject, probes);
  }

  private noteReachable({ outage }: Probes): void {
    if (this.outage.succeed(outage)) this.logger.log(`${this.host} is available again`);
  }

  private failOutage(error: UpstreamError, { outage }: Probes, isCertain = false): void {
    if (this.failCircuit(this.outage, error, outage, isCertain))
      this.logger.warn(`${error.message}; serving cached content until it recovers`);
  }

  private pause(kind: RequestKind, error: UpstreamError, isProbe: boolean, isCertain = false): void {
    if (this.failCircuit(this.limits[kind], error, isProbe, isCertain))
      this.logger.warn(`${error.message}; ${kind} requests are paused, serving cached content`);
  }

  private failCircuit(circuit: Circuit, error: UpstreamError, isProbe: boolean, isCertain = false): boolean {
    this.causes.set(circuit, error);
    return circuit.fail(isProbe, error.retryAfter, isCertain);
  }
}
