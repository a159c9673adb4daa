import type { Clock } from '../../config/clock/clock.js';
import { discardBody } from '../transport/body.js';
import type { RegistrySession, UpstreamRequest } from '../sign-in/registry.session.js';
import { parseRetryAfter } from '../../config/transport/retry-after.js';
import type { Exchange } from '../transport/transport.js';
import { errorOfStatus, UpstreamError } from '../upstream-error.js';
import { LastResponses } from './last.responses.js';
import { isOutage, UpstreamHealth, type RequestKind } from './upstream.health.js';
import { UpstreamOutcome } from './upstream.outcome.js';
import type { Upstream } from '../upstream.js';

export interface DispatchedResponse extends Exchange {
  /** The fallback host that responded; undefined for the upstream's own host. */
  readonly fallback: string | undefined;
}

/** Sends requests to an upstream as its health permits, and to its fallbacks while it is unavailable. */
export class Dispatcher {
  private readonly healths = new WeakMap<Upstream, UpstreamHealth>();
  private readonly outcomes = new WeakMap<Upstream, UpstreamOutcome>();

  /** About manifests. */
  readonly lastResponses: LastResponses;

  constructor(
    private readonly session: RegistrySession,
    private readonly clock: Clock,
  ) {
    this.lastResponses = new LastResponses(clock);
  }

  /** Returns a response with a status below 500 other than 408 and 429, or 501. @throws UpstreamError */
  async send(kind: RequestKind, request: UpstreamRequest): Promise<DispatchedResponse> {
    try {
      return { ...(await this.sendToHost(kind, request)), fallback: undefined };
    } catch (error) {
      if (!isOutage(error)) throw error;
      for (const upstream of request.upstream.fallbacks) {
        const response = await this.sendToFallback(kind, { ...request, upstream });
        if (response) return { ...response, fallback: upstream.base.host };
      }
      throw error;
    }
  }

  healthOf(upstream: Upstream): UpstreamHealth {
    const known = this.healths.get(upstream);
    if (known) return known;
    const health = new UpstreamHealth(upstream.base.host, upstream.settings.maxConnections, this.clock);
    this.healths.set(upstream, health);
    return health;
  }

  outcomeOf(upstream: Upstream): UpstreamOutcome {
    const known = this.outcomes.get(upstream);
    if (known) return known;
    const outcome = new UpstreamOutcome(upstream, this.clock);
    this.outcomes.set(upstream, outcome);
    return outcome;
  }

  /** Undefined unless the fallback succeeds: its refusals say nothing about the registry itself. */
  private async sendToFallback(kind: RequestKind, request: UpstreamRequest): Promise<Exchange | undefined> {
    try {
      const response = await this.sendToHost(kind, request);
      if (response.status < 400) return response;
      discardBody(response.body, response.headers['content-length']);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
    }
    return undefined;
  }

  private sendToHost(kind: RequestKind, request: UpstreamRequest): Promise<Exchange> {
    const health = this.healthOf(request.upstream);
    const outcome = this.outcomeOf(request.upstream);
    const asked = { kind, repository: request.repository };
    return health.run(kind, request.repository, async (release) => {
      const response = await this.session.request(request).catch((error: unknown) => {
        outcome.noteFailure(asked, error);
        this.lastResponses.noteFailure(request, request.upstream.base.host, error);
        throw error;
      });
      const { status, headers, body, host } = response;
      outcome.noteResponse(asked, status, host);
      this.lastResponses.noteResponse(request, host, status);
      health.observe(headers);
      if (isFailure(status)) {
        discardBody(body, headers['content-length']);
        throw errorOfStatus(status, host, parseRetryAfter(headers['retry-after'], this.clock.now()));
      }
      // The connection is in use until the body has been read or destroyed.
      if (body.destroyed) release();
      else body.once('close', release);
      return response;
    });
  }
}

/** Excludes 501: the method is not implemented, but the server works. */
function isFailure(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}
